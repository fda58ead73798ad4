"""Read a socket piece by piece without keeping the event loop from everybody else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

__all__ = ["read_pieces"]


async def read_pieces(channel: socket.socket, most_bytes: int) -> AsyncIterator[bytes]:
    """Yield what comes over the non-blocking ``channel``, up to ``most_bytes`` at a time, until the other end closes.

    ``sock_recv`` returns at once while there is more, and never gives the loop a turn: behind a guest that floods its
    console, nobody would hear QEMU's answers, or that the time is up. So everybody has a turn after each piece.

    :raise OSError: if the connection breaks.
    """
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(channel, most_bytes):
        yield piece
        await asyncio.sleep(0)
