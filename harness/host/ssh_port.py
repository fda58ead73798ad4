"""Lead to a port on a host's loopback over SSH, as a socket like any other; no port is opened here."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.login import Line, Login
from harness.host.protocol import HostLost
from harness.host.ssh_words import ssh_words

if TYPE_CHECKING:
    import paramiko

__all__ = ["SshPort"]

_PIECE_BYTES = 1 << 16
_WINDOW_BYTES = 1 << 30


class SshPort:
    """Connect to one port, any number of times, over one connection of its own, which is opened at once."""

    def __init__(self, name: str, login: Login, deadline: Deadline, port: int) -> None:
        """Take the host's name, what opens a connection and until when, and the port there."""
        self._name = name
        self._port = port
        self._opening = asyncio.create_task(asyncio.to_thread(login, deadline))
        self._pumps: list[threading.Thread] = []

    async def connect(self, deadline: Deadline) -> socket.socket:
        """Return a new connection; see :class:`~harness.host.protocol.Dialled`."""
        async with deadline.limit():
            try:
                line = await asyncio.shield(self._opening)
            except HostError as error:
                raise HostLost(self._name, "connecting to the guest", error) from error
            return await asyncio.to_thread(self._open, line, deadline)

    async def close(self) -> None:
        """End the connection, and every one that it leads to."""
        with suppress(HostError):
            line = await self._opening
            await asyncio.to_thread(line.close)
        for pump in self._pumps:
            await asyncio.to_thread(pump.join, 5)

    def _open(self, line: Line, deadline: Deadline) -> socket.socket:
        import paramiko

        try:
            channel = line.transport.open_channel(
                "direct-tcpip",
                ("127.0.0.1", self._port),
                ("127.0.0.1", 0),
                window_size=_WINDOW_BYTES,
                timeout=deadline.remaining_s + 0.1,
            )
        except paramiko.ChannelException as error:
            # RFC 4254 section 5.1: 1 is "administratively prohibited".
            why = "its SSH server forbids forwarding (AllowTcpForwarding)" if error.code == 1 else str(error)
            raise ConnectionRefusedError(f"host {self._name}: port {self._port}: {why}") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if line.transport.is_active():
                raise ConnectionRefusedError(f"host {self._name}: port {self._port}: {ssh_words(error)}") from error
            raise HostLost(self._name, "connecting to the guest", ssh_words(error)) from error
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for pump in (_up, _down):
            thread = threading.Thread(target=pump, args=(theirs, channel), name="svsm-port", daemon=True)
            self._pumps.append(thread)
            thread.start()
        return ours


def _up(near: socket.socket, channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError):
        while piece := near.recv(_PIECE_BYTES):
            channel.sendall(piece)
    with suppress(OSError, EOFError):
        channel.close()


def _down(near: socket.socket, channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError):
        while piece := channel.recv(_PIECE_BYTES):
            near.sendall(piece)
    with suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)  # wakes the other direction too
    near.close()
