from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import cast

import pytest

from harness.boot import near_port as subject
from harness.boot.near_port import near_port
from harness.clock import Deadline
from harness.host.local import LocalHost
from harness.host.protocol import HostKind, QemuHost


class Far:
    """Be a host elsewhere: its ports are this machine's, led to by connections of its own."""

    kind = HostKind.SSH

    @asynccontextmanager
    async def dial(self, port: int) -> AsyncIterator[Far]:
        self.port = port
        yield self

    async def connect(self, deadline: Deadline) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self.port))
        except OSError:
            made.close()
            raise
        return made


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(100):
        writer.write(piece.upper())
    writer.close()


def _with_echo(body: Callable[[int], Coroutine[None, None, None]]) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(_echo, "127.0.0.1", 0)
        async with server:
            await body(server.sockets[0].getsockname()[1])

    asyncio.run(scenario())


def test_here_it_is_the_port_itself() -> None:
    async def body(port: int) -> None:
        async with near_port(LocalHost(), port) as near:
            assert near == port

    _with_echo(body)


def test_any_number_may_talk_to_a_port_elsewhere_and_nothing_is_left_open() -> None:
    async def body(port: int) -> None:
        async with near_port(cast(QemuHost, Far()), port) as near:
            assert near != port
            streams = [await asyncio.open_connection("127.0.0.1", near) for _ in range(3)]
            for number, (reader, writer) in enumerate(streams):
                writer.write(b"word %d\n" % number)
                assert await reader.readline() == b"WORD %d\n" % number
            streams[0][1].write_eof()  # whoever has said all still hears the answer
            assert await streams[0][0].read() == b""
        for reader, writer in streams[1:]:
            assert await reader.read() == b""
            writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", near)
        streams[0][1].close()

    _with_echo(body)


def test_a_port_that_nobody_serves_ends_the_connection() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        async with near_port(cast(QemuHost, Far()), port) as near:
            reader, writer = await asyncio.open_connection("127.0.0.1", near)
            assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())


class Sink:
    """Be a writer that never has to wait."""

    taken = 0

    def write(self, piece: bytes) -> None:
        self.taken += len(piece)

    async def drain(self) -> None: ...

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...


def test_a_guest_that_floods_lets_others_have_a_turn_after_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_PIECE_BYTES", 100)

    async def scenario() -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            theirs.sendall(b"y" * 10_000)  # all of it is there before the first read

            class Ready(Far):
                async def connect(self, deadline: Deadline) -> socket.socket:
                    return ours

            sink = Sink()
            writer = cast(asyncio.StreamWriter, sink)
            carrying = asyncio.create_task(subject._carry(Ready(), asyncio.StreamReader(), writer))
            turns = 0
            while sink.taken < 10_000:
                turns += 1
                await asyncio.sleep(0)
        await carrying
        return turns

    assert asyncio.run(scenario()) >= 100
