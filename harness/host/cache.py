"""Say where things are kept that can be made again.

XDG Base Directory Specification 0.8: relative values of XDG_CACHE_HOME are invalid and ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import HostError

__all__ = ["cache_dir"]


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Return the harness's cache folder for this user; it need not exist yet.

    :raise HostError: when the environment names neither a cache nor a home.
    """
    for name, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        base = Path(environ.get(name, ""))
        if base.is_absolute():
            return base / below / "svsm-harness"
    raise HostError("neither HOME nor XDG_CACHE_HOME is set to an absolute path; set XDG_CACHE_HOME")
