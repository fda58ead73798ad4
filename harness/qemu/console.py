"""Follow one character device of a guest live, with bounded memory, and write its log.

QEMU's own ``logfile=`` is not used, because it is not what the guest said: where the socket is full, QEMU logs the
byte that it could not send, tries again later and logs it a second time (QEMU chardev/char.c qemu_chr_write_buffer()
logs all on every error, EAGAIN included). A socket is full after 278 single bytes, so a boot that prints 24 kB had 9 to
29 such bytes with QEMU 7.2, and a doubled letter hides a milestone.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from io import RawIOBase

from harness.clock import Deadline
from harness.evidence.records import Chunk
from harness.host.socket_pieces import read_pieces

__all__ = ["Console"]

# What a late `wait` can still see. A console that has scrolled on by more than this since is searched from here.
_WINDOW_BYTES = 1 << 20
_READ_BYTES = 1 << 16
# The longest match that may begin in one read and end in a later one.
_MATCH_BYTES = 4096
# A chunk for each read of a flooding console would grow without bound; within this time the first read's
# time stands for all.
_CHUNK_SPACING_S = 0.005


class Console:
    """Keep the end of what a device said, when it grew, and how many bytes there were.

    ``total_bytes`` counts everything that arrived, so that a log cut by a full disk is noticed.
    """

    def __init__(self, channel: socket.socket, now_s: Callable[[], float], log: RawIOBase | None = None) -> None:
        """Take our end of the socket, the clock of the record, and the unbuffered log (None: nothing is kept)."""
        self._channel = channel
        self._now_s = now_s
        self._log = log
        self._window = bytearray()
        self._grown = asyncio.Condition()
        self._cursor = 0
        self.total_bytes = 0
        self.chunks: list[Chunk] = []
        self.closed = False

    async def follow(self, saw: Callable[[bytes], None] | None = None) -> None:
        """Read until QEMU closes the device; ``saw`` gets each piece as it arrives. Run as a task."""
        try:
            async for piece in read_pieces(self._channel, _READ_BYTES):
                self._write(piece)
                await self._take(piece)
                if saw is not None:
                    saw(piece)
        except ConnectionError:
            pass  # QEMU was killed: the same end as an orderly one
        finally:
            self.closed = True
            async with self._grown:
                self._grown.notify_all()

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            while view and self._log is not None:
                view = view[self._log.write(view) or 0 :]
        except OSError:
            # The disk is full. From here on nothing is written: a log with its end missing can be judged, one with a
            # hole cannot. That it is shorter than `total_bytes` is the loss that every check on it sees.
            self._log = None

    async def _take(self, piece: bytes) -> None:
        self.total_bytes += len(piece)
        now_s = self._now_s()
        if self.chunks and now_s - self.chunks[-1].at_s < _CHUNK_SPACING_S:
            self.chunks[-1] = Chunk(self.total_bytes, self.chunks[-1].at_s)
        else:
            self.chunks.append(Chunk(self.total_bytes, now_s))
        async with self._grown:
            self._window += piece
            if len(self._window) > 2 * _WINDOW_BYTES:
                del self._window[:-_WINDOW_BYTES]
            self._grown.notify_all()

    async def send(self, data: bytes) -> None:
        """Write to the guest's side of the device, as a person typing would."""
        await asyncio.get_running_loop().sock_sendall(self._channel, data)

    async def grown(self) -> None:
        """Wait until more has arrived, or the device was closed."""
        async with self._grown:
            await self._grown.wait()

    def tail(self, size_bytes: int) -> bytes:
        """Return at most the last ``size_bytes`` that arrived."""
        return bytes(self._window[-size_bytes:]) if size_bytes > 0 else b""

    async def wait_for(self, pattern: re.Pattern[bytes], deadline: Deadline, *, anywhere: bool = False) -> bytes:
        """Return the first match behind the last one that a wait returned; text that came before the wait counts.

        ``anywhere`` looks from the beginning, and leaves the place of the next wait as it was.

        :raise TimeoutError: if there is none by the deadline.
        :raise EOFError: if the device closed without one.
        """
        begin = 0 if anywhere else self._cursor
        searched = begin
        async with deadline.limit(), self._grown:
            while True:
                dropped = self.total_bytes - len(self._window)
                if match := pattern.search(self._window, max(0, searched - dropped)):
                    if not anywhere:
                        self._cursor = dropped + match.end()
                    return match.group()
                searched = max(begin, self.total_bytes - _MATCH_BYTES)
                if self.closed:
                    raise EOFError("QEMU closed the console")
                await self._grown.wait()
