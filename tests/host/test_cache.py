"""The cache folder follows the XDG specification."""

from pathlib import Path

import pytest

from harness.errors import HostError
from harness.host.cache import cache_dir


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
