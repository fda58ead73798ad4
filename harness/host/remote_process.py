"""Talk to one command behind SSH while it runs, on a guest or on a host.

paramiko sets a pipe when data or the end has come, so the loop watches it like any socket. Hazards of paramiko that
shape this file: a command that fills one stream while only the other is read blocks for ever (#1778), so both are
drained as data comes; ``recv_exit_status()`` before draining hangs (#448), so it comes last. And paramiko builds a
message under the channel's lock but sends it after: a message can so follow the CLOSE that its other thread sends, and
dropbear ends the whole session at a message for a channel that is gone (src/common-channel.c, "Unknown channel").
Hence no EOF is ever sent, and whoever starts a command bounds its input on the
other side (:mod:`harness.host.far_side`, :meth:`harness.guest.shell.GuestShell.run`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    import paramiko

__all__ = ["RemoteProcess"]

# Data handled before other tasks of the loop get a turn.
_SLICE_BYTES = 1 << 20
_BREAKS_WITHIN_S = 0.5


class RemoteProcess:
    """Be one running command: feed it, receive from it; a context, for it watches the channel meanwhile."""

    def __init__(
        self, channel: paramiko.Channel, lost: Callable[[BaseException | None], HarnessError]
    ) -> None:  # fmt: skip
        """Take a channel on which a command was started, and what makes the error of a session that broke."""
        self._channel = channel
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._reader: int | None = None

    def __enter__(self) -> RemoteProcess:
        """Begin to watch the channel."""
        # paramiko sets this pipe when data or the end has come.
        self._reader = self._channel.fileno()
        self._loop.add_reader(self._reader, self._wake.set)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to watch the channel."""
        self._stop_watching()

    async def receive(self) -> tuple[bytes, bytes] | None:
        """Return the next (stdout, stderr) bytes, one of them not empty; None at the end of both.

        :raise HarnessError: the one that was given, when the session broke.
        """
        while True:
            # Before the buffers are looked at: what comes in between sets it again.
            self._wake.clear()
            ended = self._channel.eof_received or self._channel.closed
            out, err = self._received()
            if out or err:
                await asyncio.sleep(0)
                return out, err
            if ended:
                self._stop_watching()
                self._check_alive()
                return None
            await self._wake.wait()

    async def send(self, content: bytes) -> None:
        """Write to the command's standard input; what it no longer reads is dropped.

        :raise HarnessError: the one that was given, when the session broke.
        """
        if not content:
            return
        import paramiko

        try:
            await asyncio.to_thread(self._channel.sendall, content)
        except (paramiko.SSHException, OSError, EOFError):
            self._check_alive()  # one that breaks just now is told by receive

    @asynccontextmanager
    async def fed(self, content: bytes) -> AsyncIterator[None]:
        """Write ``content`` to the command's standard input while the body runs; the input is not ended.

        A session that breaks meanwhile shows in :meth:`receive`.
        """
        feeding = asyncio.create_task(self.send(content))
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def status(self) -> int | None:
        """Return the exit status once :meth:`receive` has returned None; None when a signal ended the command.

        :raise HarnessError: the one that was given, when the session breaks first.
        """
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else None
        if status is None:
            status = await asyncio.to_thread(self._channel.recv_exit_status)
        if status == -1:
            # A connection that breaks takes its channels along first, and says so a moment later.
            await asyncio.to_thread(self._channel.get_transport().join, _BREAKS_WITHIN_S)
            self._check_alive()
            return None
        return status

    def _received(self) -> tuple[bytes, bytes]:
        import paramiko

        try:
            out = self._channel.recv(_SLICE_BYTES) if self._channel.recv_ready() else b""
            err = self._channel.recv_stderr(_SLICE_BYTES) if self._channel.recv_stderr_ready() else b""
        except (paramiko.SSHException, OSError, EOFError) as error:  # it sends the window's message as well
            raise self._lost(error) from error
        return out, err

    def _stop_watching(self) -> None:
        if self._reader is not None:
            self._loop.remove_reader(self._reader)
            self._reader = None

    def _check_alive(self) -> None:
        transport = self._channel.get_transport()
        if not transport.is_active() and self._channel.exit_status == -1:
            raise self._lost(transport.get_exception())
