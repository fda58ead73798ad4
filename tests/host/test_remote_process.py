"""A broken session raises the error that was asked for; the rest is tested through guests (test_ssh) and hosts."""

import asyncio

import pytest

from harness.errors import HarnessError
from harness.host.protocol import HostLost
from harness.host.remote_process import RemoteProcess
from harness.host.ssh_words import ssh_words


class Transport:
    """Be a connection that still looks alive until its thread has ended."""

    def __init__(self) -> None:
        self.joined = False

    def join(self, timeout: float) -> None:
        self.joined = True

    def is_active(self) -> bool:
        return not self.joined

    def get_exception(self) -> Exception:
        return ConnectionResetError("reset")


class Channel:
    """Be a channel whose connection is gone."""

    eof_received = closed = True
    exit_status = -1

    def recv_ready(self) -> bool:
        return False

    recv_stderr_ready = exit_status_ready = recv_ready

    def recv_exit_status(self) -> int:
        return -1

    def __init__(self) -> None:
        self.transport = Transport()

    def get_transport(self) -> Transport:
        return self.transport


def lost(cause: BaseException | None) -> HarnessError:
    return HostLost("lab1", "booting", ssh_words(cause))


def test_a_broken_session_raises_what_was_given() -> None:
    async def scenario() -> None:
        process = RemoteProcess(Channel(), lost)  # type: ignore[arg-type]
        assert await process.receive() is None  # it may not be known yet
        with pytest.raises(HostLost, match="lab1 was lost while booting: reset"):
            await process.status()
        with pytest.raises(HostLost, match="lab1 was lost while booting: reset"):
            await process.receive()

    asyncio.run(scenario())


class Breaking(Channel):
    """Be a channel that has data, and whose connection breaks at whatever is sent on it."""

    eof_received = closed = False

    def recv_ready(self) -> bool:
        return True

    def sendall(self, content: bytes) -> None:
        raise EOFError  # paramiko's packet.py, write_all

    def recv(self, size_bytes: int) -> bytes:
        raise EOFError  # channel.py, recv: it tells the other side of the window that is free again


def test_a_session_that_breaks_while_something_is_sent_is_lost_too() -> None:
    async def scenario() -> None:
        process = RemoteProcess(Breaking(), lost)  # type: ignore[arg-type]
        await process.send(b"input")  # it may not be known yet
        with pytest.raises(HostLost, match="lab1 was lost while booting: the connection was closed"):
            await process.receive()
        process._channel.get_transport().join(0)
        with pytest.raises(HostLost, match="lab1 was lost while booting: reset"):
            await process.send(b"input")

    asyncio.run(scenario())
