from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HostError, InputError
from harness.regress.config_files import load_configs, read_configs


def _written(folder: Path, good: bytes, bad: bytes) -> tuple[Path, Path]:
    paths = folder / "a.config", folder / "b.config"
    for path, text in zip(paths, (good, bad), strict=True):
        path.write_bytes(text)
    return paths


def test_both_are_kept_beside_the_journal(tmp_path: Path) -> None:
    paths = _written(tmp_path, b"CONFIG_A=y\n", b"# CONFIG_A is not set\n")
    files = load_configs(*paths)
    run = tmp_path / "run"
    run.mkdir()
    files.keep(run)
    for path in paths:
        path.unlink()
    assert read_configs(run) == ({"CONFIG_A": "y"}, {"CONFIG_A": "n"})


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"CONFIG_A=y\nnonsense\n", r"b\.config:2: 'nonsense' is no line"),
        (b"CONFIG_A=y\n", "do not differ"),
        (b"\xff\xfe", r"--bad-config .*b\.config: this is no text"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, bad: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_configs(*_written(tmp_path, b"CONFIG_A=y\n", bad))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--good-config .*none: No such file"):
        load_configs(tmp_path / "none", tmp_path / "none")
    with pytest.raises(HostError, match="cannot be read"):
        read_configs(tmp_path)
