"""Lend a port of a host's loopback to a person here: their tools need a port of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.clock import Deadline
from harness.host.protocol import Dialled, HostKind, HostLost, QemuHost
from harness.host.socket_pieces import read_pieces

__all__ = ["near_port"]

_CONNECT_S = 10.0
_PIECE_BYTES = 1 << 16


@asynccontextmanager
async def near_port(host: QemuHost, port: int) -> AsyncIterator[int]:
    """Yield the port of this machine's loopback that leads to ``port`` of the host's, as long as the body runs.

    On this machine it is the same one. Any number may connect, one after the other or at once.
    """
    if host.kind is HostKind.LOCAL:
        yield port
        return
    carrying: set[asyncio.Task[None]] = set()
    async with host.dial(port) as way:

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            carrying.add(task)
            try:
                await _carry(way, reader, writer)
            finally:
                carrying.discard(task)
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        async with server:
            try:
                yield int(server.sockets[0].getsockname()[1])
            finally:
                server.close()
                for task in carrying:
                    task.cancel()
                await asyncio.gather(*carrying, return_exceptions=True)


async def _carry(way: Dialled, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    # Whoever is refused sees the connection end, as everywhere.
    with suppress(OSError, HostLost):
        far = await way.connect(Deadline.after(_CONNECT_S))
        with far:
            up = asyncio.create_task(_up(loop, reader, far))
            try:
                async for piece in read_pieces(far, _PIECE_BYTES):
                    writer.write(piece)
                    await writer.drain()
            finally:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)


async def _up(loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader, far: socket.socket) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        await loop.sock_sendall(far, piece)
    far.shutdown(socket.SHUT_WR)
