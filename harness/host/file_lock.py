"""Take a lock that the kernel frees when the last process that holds it is gone, however that died (flock(2))."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from harness.errors import HostError

__all__ = ["try_lock"]


def try_lock(path: Path) -> int | None:
    """Return the descriptor of ``path``, locked until it is closed; None: another has it. The file is made if needed.

    A child inherits it, and holds the lock too, only where it is passed on by name.

    :raise HostError: if the file cannot be made, or its file system knows no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
    except BlockingIOError:
        return None
    except OSError as error:
        raise HostError(f"{path} cannot be locked: {error.strerror}") from error
    return descriptor
