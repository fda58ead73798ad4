"""Say where things are kept that can be made again.

XDG Base Directory Specification 0.8: relative values of XDG_CACHE_HOME are invalid and ignored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from harness.errors import HostError

__all__ = ["cache_dir", "keep_whole"]

_UNFINISHED = ".unfinished-"


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Return the harness's cache folder for this user; it need not exist yet.

    :raise HostError: when the environment names neither a cache nor a home.
    """
    for name, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        base = Path(environ.get(name, ""))
        if base.is_absolute():
            return base / below / "svsm-harness"
    raise HostError("neither HOME nor XDG_CACHE_HOME is set to an absolute path; set XDG_CACHE_HOME")


def keep_whole(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, whole or not at all; what killed writers left in the folder is removed.

    :raise OSError: when the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / "keep.lock"):
        for abandoned in path.parent.glob(f"{_UNFINISHED}*"):
            abandoned.unlink()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_UNFINISHED, delete=False) as stream:
            try:
                stream.write(content)
                stream.flush()
                Path(stream.name).rename(path)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
