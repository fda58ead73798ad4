"""Talk to one script on a host behind SSH; what the far side adds to its output and input is handled here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress

from harness.clock import Deadline
from harness.errors import HarnessError, HostError
from harness.host.far_side import END, encode_input
from harness.host.protocol import HostLost
from harness.host.remote_process import RemoteProcess

__all__ = ["SshProcess"]

# As on this machine (harness.host.local): what a script has to undo when its input ends is a few writes.
_GRACE_S = 3.0
_KILLED_S = 3.0


class SshProcess:
    """Be one script on the far side; made by :class:`~harness.host.ssh.SshHost`."""

    def __init__(self, remote: RemoteProcess, mute: HarnessError, *, live: bool) -> None:
        """Take its channel, what to raise if it ends before it began, and whether its input is live or bounded."""
        self._remote = remote
        self._mute = mute
        self._live = live
        self._head = b""
        self._job: int | None = None
        self._ended = False

    async def receive(self) -> tuple[bytes, bytes] | None:
        """Return the next output; None at the end.

        :raise HarnessError: the one that was given, if the script never began.
        :raise HostLost: when the connection broke.
        """
        while not self._ended:
            piece = await self._remote.receive()
            if piece is None:
                self._ended = True
                if self._job is None:
                    raise self._mute
                break
            out, err = piece
            if self._job is None:
                out = self._behind_head(out)
            if out or err:
                return out, err
        return None

    def _behind_head(self, out: bytes) -> bytes:
        # The first line is the far side's: the session of the script.
        self._head += out
        line, newline, rest = self._head.partition(b"\n")
        if not newline:
            return b""
        if not line.isdigit():
            raise HostError(f"the host's shell said {line[:200]!r} before the script; does its start-up file print?")
        self._job = int(line)
        return rest

    async def send(self, content: bytes) -> None:
        """Write to the script's standard input.

        :raise HostLost: when the connection broke.
        """
        assert self._live
        await self._remote.send(encode_input(content))

    def fed(self, content: bytes) -> AbstractAsyncContextManager[None]:
        """Write raw input while the body runs, for a script whose input is bounded."""
        assert not self._live
        return self._remote.fed(content)

    async def status(self) -> int | None:
        """Return the exit status, None for a signal; a shell says 128 and more for those of what it ran.

        :raise HostLost: when the connection broke first.
        """
        return await self._remote.status()

    async def close(self, kill: Callable[[int], Awaitable[None]], end_s: float | None = None) -> None:
        """End the script's input, then the script, by ``kill`` if it does not end; ``end_s`` is how long it may take.

        Never raises: with a connection that broke, the far side's own watch ends it.
        """
        with suppress(HostLost, HostError):
            if self._ended:
                return
            if self._live:
                await self._remote.send(END)
                if await self._ends(Deadline.after(end_s or _GRACE_S)):
                    return
            if self._job is not None:
                await kill(self._job)
                await self._ends(Deadline.after(_KILLED_S))

    async def _ends(self, deadline: Deadline) -> bool:
        with suppress(TimeoutError):
            async with deadline.limit():
                while await self.receive() is not None:
                    pass
                return True
        return False
