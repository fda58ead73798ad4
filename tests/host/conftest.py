"""What the tests of hosts share: a real SSH server, and a host behind it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from ssh_server import Server, serve

from harness.clock import Deadline
from harness.host.login import login_by_entry
from harness.host.protocol import HostKind
from harness.host.ssh import SshHost, open_ssh_host

Open = Callable[[], AbstractAsyncContextManager[SshHost]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path / "server") as running:
        yield running


@pytest.fixture
def open_host(server: Server) -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[SshHost]:
        login = login_by_entry("loopback", server.entry, ())
        async with open_ssh_host("loopback", HostKind.SSH, login, Deadline.after(30)) as host:
            yield host

    return opened
