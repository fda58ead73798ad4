"""What the far side adds to a script's output is taken off, however it comes in pieces."""

import asyncio
from collections.abc import Sequence

import pytest

from harness.errors import HostError
from harness.host.far_side import END, encode_input
from harness.host.protocol import HostLost
from harness.host.ssh_process import SshProcess


class Channel:
    """Play a channel: hand out pieces, keep what is sent."""

    def __init__(self, pieces: Sequence[tuple[bytes, bytes]], *, endless: bool = False) -> None:
        self.pieces = list(pieces)
        self.sent = b""
        self.endless = endless

    async def receive(self) -> tuple[bytes, bytes] | None:
        if self.pieces:
            return self.pieces.pop(0)
        if self.endless:
            await asyncio.Event().wait()
        return None

    async def send(self, content: bytes) -> None:
        self.sent += content


MUTE = HostLost("lab1", "booting", "it did not begin")


async def read(channel: Channel) -> list[tuple[bytes, bytes]]:
    process = SshProcess(channel, MUTE, live=True)  # type: ignore[arg-type]
    found = []
    while (piece := await process.receive()) is not None:
        found.append(piece)
    return found


@pytest.mark.parametrize(
    "pieces",
    [
        [(b"123\nabc", b"")],
        [(b"1", b""), (b"23\n", b""), (b"abc", b"")],
        [(b"123", b""), (b"\nabc", b"")],
    ],
)
def test_the_first_line_is_the_session(pieces: list[tuple[bytes, bytes]]) -> None:
    assert asyncio.run(read(Channel(pieces))) == [(b"abc", b"")]


def test_errors_may_come_before_the_session() -> None:
    assert asyncio.run(read(Channel([(b"", b"bad"), (b"1\n", b""), (b"out", b"")]))) == [(b"", b"bad"), (b"out", b"")]


def test_a_script_that_never_began_is_no_script_without_output() -> None:
    with pytest.raises(HostLost, match="it did not begin"):
        asyncio.run(read(Channel([(b"", b"no such folder")])))
    assert asyncio.run(read(Channel([(b"1\n", b"")]))) == []


def test_a_shell_that_chats_is_told() -> None:
    with pytest.raises(HostError, match=r"Welcome.*start-up file"):
        asyncio.run(read(Channel([(b"Welcome!\n1\n", b"")])))


def test_leaving_ends_the_input_and_then_kills() -> None:
    killed = []

    async def kill(job: int) -> None:
        killed.append(job)

    async def scenario() -> bytes:
        channel = Channel([(b"77\nready", b"")], endless=True)
        process = SshProcess(channel, MUTE, live=True)  # type: ignore[arg-type]
        await process.receive()
        await process.send(b"x.")
        await process.close(kill, 0.01)
        return channel.sent

    assert asyncio.run(scenario()) == encode_input(b"x.") + END
    assert killed == [77]
