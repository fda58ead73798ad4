"""Run commands on the guest and copy files, over a session that exists.

What only blocks in paramiko runs in a worker thread; closing the transport ends it.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.clock import Deadline, monotonic_s
from harness.guest.ssh_errors import GuestFileError, SshLost
from harness.host.remote_process import RemoteProcess

if TYPE_CHECKING:
    import paramiko

    from harness.guest.sampler import Sampler

__all__ = ["Completed", "GuestShell"]

_OUTPUT_LIMIT_BYTES = 16 << 20
# Large, so that short outputs need no window message, which could come too late (remote_process says why).
_WINDOW_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Completed:
    """Be how one command ended.

    ``status`` is the exit status; None means that there is none, because the deadline came first (``timed_out``) or
    because a signal killed it. ``out`` and ``err`` hold all that came until then, each up to the limit asked for;
    ``truncated`` tells that more came and was dropped.
    """

    command: str
    status: int | None
    out: bytes
    err: bytes
    duration_s: float
    timed_out: bool = False
    truncated: bool = False


class GuestShell:
    """Run commands on a guest as root. Make it with :func:`connect`; several commands may run at the same time."""

    def __init__(self, transport: paramiko.Transport) -> None:
        """Take over an authenticated transport."""
        self._transport = transport
        # Channels whose command outlived our interest. dropbear 2022.83 mixes up a channel that we close while its
        # command runs with the next one that we open, and the session ends (22 of 150 tries). So they stay open, and
        # referenced, for paramiko closes a channel that is collected; the end of the session ends them.
        self._abandoned: list[paramiko.Channel] = []

    async def run(
        self,
        command: str,
        deadline: Deadline,
        stdin: bytes = b"",
        limit_bytes: int = _OUTPUT_LIMIT_BYTES,
    ) -> Completed:
        """Run ``command`` in the guest's shell and return how it ended, whatever that was.

        At the deadline what came so far is returned; the command goes on in the guest until the session ends.

        :raise SshLost: when the session breaks first.
        """
        started_s = monotonic_s()
        out, err = _Bounded(limit_bytes), _Bounded(limit_bytes)
        status, timed_out = None, False
        try:
            async with (
                deadline.limit(),
                self._start(_bounded_input(command, len(stdin)), command) as process,
                process.fed(stdin),
            ):
                while (data := await process.receive()) is not None:
                    out.add(data[0])
                    err.add(data[1])
                status = await process.status()
        except TimeoutError:
            timed_out = True
        truncated = out.truncated or err.truncated
        duration_s = monotonic_s() - started_s
        return Completed(command, status, out.content, err.content, duration_s, timed_out, truncated)

    @asynccontextmanager
    async def process(self, command: str) -> AsyncIterator[RemoteProcess]:
        """Yield ``command`` while it runs; leaving does not end it, the end of the session does.

        :raise SshLost: when the session breaks.
        """
        async with self._start(command, command) as process:
            yield process

    # ``doing`` is what an error calls it.
    @asynccontextmanager
    async def _start(self, command: str, doing: str) -> AsyncIterator[RemoteProcess]:
        channels: list[paramiko.Channel] = []

        left = False

        def start() -> None:
            channels.append(self._transport.open_session(window_size=_WINDOW_BYTES))
            # The guest may answer only after the caller has given up.
            if left:
                self._abandoned.append(channels[0])
            else:
                channels[0].exec_command(command)

        try:
            await self._blocking(start, doing)
            with RemoteProcess(channels[0], lambda cause: SshLost(doing, cause)) as process:
                yield process
        finally:
            left = True
            for channel in channels:
                if channel.exit_status_ready():
                    channel.close()
                else:
                    self._abandoned.append(channel)

    @asynccontextmanager
    async def sampler(self) -> AsyncIterator[Sampler]:
        """Yield a :class:`~harness.guest.sampler.Sampler`: files read over one open channel, a few ms each."""
        from harness.guest.sampler import open_sampler

        async with open_sampler(self) as sampler:
            yield sampler

    async def upload(self, content: bytes | Path, to: str, deadline: Deadline, mode: int = 0o644) -> None:
        """Write ``content`` (or a local file's) to ``to``, which appears complete or not at all.

        :raise GuestFileError: when the guest cannot write it.
        :raise TimeoutError: at the deadline.
        :raise SshLost: when the session breaks.
        """
        data = content if isinstance(content, bytes) else await asyncio.to_thread(content.read_bytes)
        # cat, for the guest has no sftp server; a name of its own first, so that nobody sees half a file.
        part, target = shlex.quote(f"{to}.part"), shlex.quote(to)
        done = await self.run(f"cat >{part} && chmod {mode:o} {part} && mv -f {part} {target}", deadline, data)
        _expect_success(done, to)

    async def download(self, path: str, deadline: Deadline, limit_bytes: int = 256 << 20) -> bytes:
        """Return the content of the guest's file ``path``.

        :raise GuestFileError: when the guest cannot read it, or it is larger than ``limit_bytes``.
        :raise TimeoutError: at the deadline.
        :raise SshLost: when the session breaks.
        """
        done = await self.run(f"cat <{shlex.quote(path)}", deadline, limit_bytes=limit_bytes)
        _expect_success(done, path)
        if done.truncated:
            raise GuestFileError(path, f"larger than {limit_bytes} bytes")
        return done.out

    async def _blocking(self, work: Callable[[], None], doing: str) -> None:
        import paramiko

        try:
            await asyncio.to_thread(work)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise SshLost(doing, error) from error


# Keeps the first bytes and counts on.
class _Bounded:
    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self._parts: list[bytes] = []
        self.truncated = False

    def add(self, data: bytes) -> None:
        kept = data[: self._left]
        self.truncated = self.truncated or len(kept) < len(data)
        self._left -= len(kept)
        self._parts.append(kept)

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)


# The input ends after ``size_bytes`` without an EOF of ours, and all of it is read even by a command that ends early.
def _bounded_input(command: str, size_bytes: int) -> str:
    if not size_bytes:
        return f"exec </dev/null\n{command}"
    return f"head -c {size_bytes} | {{ sh -c {shlex.quote(command)}; s=$?; cat >/dev/null; exit $s; }}"


def _expect_success(done: Completed, path: str) -> None:
    if done.timed_out:
        raise TimeoutError(f"{path} in the guest: the deadline passed after {done.duration_s:.1f} s")
    if done.status != 0:
        raise GuestFileError(path, done.err.decode(errors="replace").strip())
