"""Stop one thread of another process for a moment, as no signal can: SIGSTOP stops the whole process.

ptrace(2), PTRACE_SEIZE and PTRACE_INTERRUPT: the kernel stops that thread alone. When a tracer dies, the kernel lets
the thread go (Linux kernel/ptrace.c exit_ptrace), so that nothing is left stopped by a SIGKILL.
Yama's ptrace_scope 1, the usual one, lets a process do this to its own children.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress

__all__ = ["pause_thread"]

# include/uapi/linux/ptrace.h, include/uapi/linux/wait.h
_SEIZE, _INTERRUPT, _DETACH, _EVENT_STOP = 0x4206, 0x4207, 17, 128
_WALL = 0x40000000


def pause_thread(thread: int, wait: Callable[[], object]) -> bool:
    """Stop ``thread`` (a thread id) while ``wait`` runs; return False if it has ended.

    Must be called from one thread from beginning to end, and not of ``thread``'s own process.

    :raise OSError: if the kernel does not allow it.
    """
    if not _ptrace(_SEIZE, thread, 0):
        return False
    signal = 0
    stopped = _ptrace(_INTERRUPT, thread, 0)
    try:
        _, status = os.waitpid(thread, _WALL)
        if not os.WIFSTOPPED(status):
            return False
        if status >> 16 != _EVENT_STOP:
            signal = os.WSTOPSIG(status)  # it was about to take this one, and shall when it goes on
        wait()
    finally:
        # A thread that was killed meanwhile is reaped here: its process waits for that.
        if stopped and not _ptrace(_DETACH, thread, signal):
            _reap(thread)
    return True


def _reap(thread: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(thread, _WALL)


def _ptrace(request: int, thread: int, data: int) -> bool:
    # False: there is no such thread (any more).
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, thread, None, data or None) == 0:
        return True
    number = ctypes.get_errno()
    if number == 3:  # ESRCH
        return False
    raise OSError(number, os.strerror(number))
