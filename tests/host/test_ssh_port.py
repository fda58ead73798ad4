"""A port on the far side, reached without one here."""

import asyncio

import pytest
from ssh_server import Server

from harness.clock import Deadline
from harness.host.protocol import HostLost

from .conftest import Open


def soon() -> Deadline:
    return Deadline.after(30)


def test_bytes_go_both_ways_and_an_end_is_an_end(open_host: Open) -> None:
    async def scenario() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
            writer.close()

        loop = asyncio.get_running_loop()
        there = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with there, open_host() as host, host.dial(there.sockets[0].getsockname()[1]) as way:
            for _ in range(3):
                with await way.connect(soon()) as connection:
                    sent, got = b"x" * 300_000, b""
                    sending = asyncio.create_task(loop.sock_sendall(connection, sent))
                    while len(got) < len(sent):
                        got += await loop.sock_recv(connection, 65536)
                    await sending
                    assert got == sent

    asyncio.run(scenario())


def test_nobody_listening_is_refused_and_a_lost_host_is_lost(server: Server, open_host: Open) -> None:
    async def scenario() -> None:
        async with open_host() as host, host.dial(1) as way:
            with pytest.raises(OSError, match="loopback: port 1"):
                await way.connect(soon())
            server.kill()
            with pytest.raises(HostLost, match="connecting to the guest"):
                await way.connect(soon())

    asyncio.run(scenario())
