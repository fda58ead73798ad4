from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

from harness.host.socket_pieces import read_pieces

MIB = 1 << 20


def test_everybody_has_a_turn_after_each_piece_of_a_flood() -> None:
    async def run() -> tuple[list[int], int]:
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            far.sendall(b"x" * 40_000)
            far.shutdown(socket.SHUT_WR)
            turns = 0

            async def others() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            beside = asyncio.create_task(others())
            sizes = [len(piece) async for piece in read_pieces(near, 1000)]
            beside.cancel()
            return sizes, turns

    sizes, turns = asyncio.run(run())
    assert sizes == [1000] * 40
    assert turns >= 40


def test_it_waits_for_what_is_still_to_come_and_ends_with_the_connection() -> None:
    async def run() -> list[bytes]:
        near, far = socket.socketpair()
        with near:
            near.setblocking(False)
            pieces: AsyncIterator[bytes] = read_pieces(near, MIB)
            first = asyncio.create_task(anext(pieces))
            await asyncio.sleep(0)
            assert not first.done()
            far.sendall(b"a")
            found = [await first]
            far.sendall(b"b")
            far.close()
            return found + [piece async for piece in pieces]

    assert asyncio.run(run()) == [b"a", b"b"]
