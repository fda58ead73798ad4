"""Run QEMU as a child that cannot outlive the harness."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from harness.clock import Deadline
from harness.errors import HostError

__all__ = ["AnyQemu", "QemuProcess", "describe_status", "start_process"]

# setpriv asks the kernel to kill the child when the thread that started it dies (prctl(2) PR_SET_PDEATHSIG). A harness
# killed before setpriv ran would be missed, so the shell then checks that its parent is still the harness.
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')


def describe_status(status: int) -> str:
    """Say in words how a process ended: ``exit status 1``, ``killed by SIGSEGV``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


class AnyQemu(Protocol):
    """Be a running QEMU, wherever it runs; on another machine each call may raise HostLost."""

    @property
    def pid(self) -> int:
        """Return the process id on the machine that it runs on."""

    @property
    def status(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs, and where nobody can know."""

    async def wait(self) -> int:
        """Wait until it has ended, and return how."""

    async def end(self, deadline: Deadline) -> int:
        """Let it end by itself until the deadline, then kill it; return how it ended."""

    async def kill(self) -> int:
        """Kill it now and reap it; return how it ended."""


class QemuProcess:
    """Be a running QEMU on this machine; made by :func:`start_process`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take the child."""
        self._process = process

    @property
    def pid(self) -> int:
        """Return the process id, which stays QEMU's own: the shell and setpriv exec it."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait until it has ended, and return how."""
        return await self._process.wait()

    async def end(self, deadline: Deadline) -> int:
        """Let it end by itself until the deadline, then kill it; return how it ended."""
        try:
            async with deadline.limit():
                return await self._process.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """Kill it now and reap it; return how it ended."""
        if self._process.returncode is None:
            self._process.kill()
        return await self._process.wait()


@asynccontextmanager
async def start_process(argv: Sequence[str], stderr: Path, fds: Sequence[int] = ()) -> AsyncIterator[QemuProcess]:
    """Start a QEMU with standard error in ``stderr`` and ``fds`` inherited; it is gone when the body ends.

    Must be called in the thread that lives as long as the harness: the child dies with that thread.

    :raise HostError: if ``setpriv`` is missing or nothing can be started.
    """
    with stderr.open("ab") as errors:
        try:
            child = await asyncio.create_subprocess_exec(
                *_DIE_WITH_PARENT,
                str(os.getpid()),
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=fds,
                start_new_session=True,  # Ctrl-C reaches the harness, which ends QEMU in its own order
            )
        except OSError as error:
            raise HostError(f"cannot start {_DIE_WITH_PARENT[0]}: {error.strerror}; install util-linux") from error
    process = QemuProcess(child)
    try:
        yield process
    finally:
        # Shielded: a second Ctrl-C must not leave QEMU behind.
        await asyncio.shield(process.kill())
