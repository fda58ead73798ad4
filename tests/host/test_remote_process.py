"""A broken session raises the error that was asked for; the rest is tested through guests (test_ssh) and hosts."""

import asyncio

import pytest

from harness.errors import HarnessError
from harness.host.protocol import HostLost
from harness.host.remote_process import RemoteProcess


class Transport:
    def is_active(self) -> bool:
        return False

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

    def get_transport(self) -> Transport:
        return Transport()


def lost(cause: BaseException | None) -> HarnessError:
    return HostLost("lab1", "booting", cause)


def test_a_broken_session_raises_what_was_given() -> None:
    async def scenario(method: str) -> None:
        process = RemoteProcess(Channel(), lost)  # type: ignore[arg-type]
        await getattr(process, method)()

    for method in ("receive", "status"):
        with pytest.raises(HostLost, match="lab1 was lost while booting: reset"):
            asyncio.run(scenario(method))
