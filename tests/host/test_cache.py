"""The cache folder follows the XDG specification."""

from pathlib import Path

import pytest

from harness.errors import HostError
from harness.host.cache import cache_dir, keep_whole


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/svsm-harness"),
        ({"HOME": "/h"}, "/h/.cache/svsm-harness"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/svsm-harness"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/svsm-harness"),
    ],
)
def test_the_folder(environ: dict[str, str], expected: str) -> None:
    assert cache_dir(environ) == Path(expected)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_the_fix_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(HostError, match="set XDG_CACHE_HOME"):
        cache_dir(environ)


def test_a_file_is_kept_whole_and_what_a_killed_writer_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    keep_whole(folder / "a", b"one")
    (folder / ".unfinished-killed").write_bytes(b"half")
    keep_whole(folder / "a", b"two")
    assert (folder / "a").read_bytes() == b"two"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "keep.lock"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()  # a rename over a folder fails
    with pytest.raises(OSError):
        keep_whole(tmp_path / "a", b"two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "keep.lock"]
