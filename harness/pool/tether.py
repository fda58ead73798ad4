"""Start a command that is interrupted when whoever started it dies: ``python -m harness.pool.tether PID COMMAND…``.

Linux ``prctl(PR_SET_PDEATHSIG)`` (prctl(2)) survives execve, and fires when the thread that started us ends; so the
thread has to wait for us, which :mod:`harness.pool.attempt` does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["tethered"]

_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command line that runs ``command`` until its end or ours, then by SIGINT."""
    return [sys.executable, "-P", "-m", "harness.pool.tether", str(os.getpid()), *command]


def _main() -> None:
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    # It may have died before we asked to be told.
    if os.getppid() == int(parent):
        os.execvp(command[0], command)


if __name__ == "__main__":
    _main()
