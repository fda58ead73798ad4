"""Reach the guest over SSH, its host key pinned, its threads gone afterwards.

paramiko reads the socket in a thread of its own. Where it takes an event, ours wakes the loop, so that waiting for a
guest holds no thread.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from harness.clock import Deadline
from harness.guest.secrets import BootSecrets, public_blob
from harness.guest.shell import Completed, GuestShell
from harness.guest.ssh_errors import GuestFileError, HostKeyMismatch, SshError, SshLost, SshUnreachable
from harness.host.protocol import Dialled

if TYPE_CHECKING:
    import paramiko

__all__ = [
    "Completed",
    "GuestFileError",
    "GuestShell",
    "HostKeyMismatch",
    "SshError",
    "SshLost",
    "SshUnreachable",
    "connect",
    "warm_up",
]

_USER = "root"
# Between two attempts to connect: a refused attempt costs next to nothing.
_PACE_S = 0.03
# QEMU's user network accepts a connection before the guest listens, and then stays silent while it retransmits its
# SYN ever more rarely. So silence is waited out for a short time only, and a new attempt is a new SYN. The time grows,
# because a guest that listens can also be slow: a fifth longer each time costs at most a fifth of the time so far.
_SILENCE_S, _SILENCE_GROWTH = 0.3, 1.2
# Longer than any boot; a way that is refused at once is tried thousands of times, and a float ends at 1.2 ** 3894.
_MOST_GROWTHS = 60


async def warm_up() -> None:
    """Load what :func:`connect` needs, beside the event loop: a fifth of a second that a booting guest can hide."""
    await asyncio.to_thread(importlib.import_module, "paramiko")


@asynccontextmanager
async def connect(
    address: str, port: int, secrets: BootSecrets, deadline: Deadline, way: Dialled | None = None
) -> AsyncIterator[GuestShell]:
    """Yield a shell on the guest that ``secrets`` was made for; it is closed afterwards, its threads included.

    Attempts repeat until the deadline, for the guest may still be booting. ``way`` leads to the port where that is
    another machine's; ``address`` and ``port`` then only name it. None connects from here.

    :raise SshUnreachable: when the deadline passes, or at once when the guest refuses our key.
    :raise HostKeyMismatch: at once.
    """
    transport = await _reach(address, port, secrets, deadline, way or _Direct(address, port))
    try:
        yield GuestShell(transport)
    finally:
        await _close(transport)


# An event of paramiko's that wakes our loop.
class _LoopEvent(threading.Event):
    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def set(self) -> None:
        super().set()
        # The loop may be gone already when a transport dies late.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._woken.set)

    async def happened(self) -> None:
        await self._woken.wait()


class _NotYet(Exception):
    pass


class _Direct:
    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port

    async def connect(self, deadline: Deadline) -> socket.socket:
        connection = socket.socket(socket.AF_INET6 if ":" in self._address else socket.AF_INET)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with deadline.limit():
                await asyncio.get_running_loop().sock_connect(connection, (self._address, self._port))
        except BaseException:
            connection.close()
            raise
        return connection


async def _reach(
    address: str, port: int, secrets: BootSecrets, deadline: Deadline, way: Dialled
) -> paramiko.Transport:  # fmt: skip
    import tenacity

    last: BaseException | None = None
    attempts = 0
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(_NotYet), wait=tenacity.wait_fixed(_PACE_S), reraise=True
    )
    try:
        async with deadline.limit():
            async for attempt in retrying:
                with attempt:
                    attempts += 1
                    try:
                        silence_s = _SILENCE_S * _SILENCE_GROWTH ** min(attempts - 1, _MOST_GROWTHS)
                        connection = await _open(way, deadline, silence_s)
                        return await _session(connection, address, port, secrets, deadline)
                    except _NotYet as error:
                        last = error.__cause__ or error
                        raise
    except TimeoutError as error:
        raise SshUnreachable(address, port, attempts, last) from error
    raise AssertionError("tenacity ends by return or exception")  # pragma: no cover


# A connection on which an SSH server has begun to speak.
async def _open(way: Dialled, deadline: Deadline, silence_s: float) -> socket.socket:
    try:
        # A connection here is made at once or never; what leads there from afar may have to be made first.
        connection = await way.connect(deadline.within(silence_s if isinstance(way, _Direct) else None))
    except TimeoutError as error:
        raise _NotYet from error
    except OSError as error:
        raise _NotYet from error
    loop = asyncio.get_running_loop()
    try:
        async with deadline.within(silence_s).limit():
            readable = asyncio.Event()
            loop.add_reader(connection, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(connection)
        if not connection.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError("the connection was closed before a banner")
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError):
            raise _NotYet from TimeoutError("connected, but no SSH banner came")
        if isinstance(error, OSError):
            raise _NotYet from error
        raise
    return connection


async def _session(
    connection: socket.socket, address: str, port: int, secrets: BootSecrets, deadline: Deadline
) -> paramiko.Transport:
    # Late: the import takes 0.2 s, and most commands of the harness need no SSH.
    import paramiko

    # Without a handler of its own, Python prints paramiko's account of every failed attempt on standard error.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    transport = paramiko.Transport(connection)
    transport.daemon = True
    # The deadline rules alone.
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = deadline.remaining_s + 1
    transport.get_security_options().key_types = ("ssh-ed25519",)
    try:
        negotiated = _LoopEvent()
        transport.start_client(event=negotiated)
        await negotiated.happened()
        if not transport.is_active():
            raise _NotYet from (transport.get_exception() or EOFError("the connection closed during the key exchange"))
        if transport.get_remote_server_key().asbytes() != public_blob(secrets.host_public):
            raise HostKeyMismatch(address, port)
        answered = _LoopEvent()
        transport.auth_publickey(_USER, _user_key(secrets), event=answered)
        await answered.happened()
        if not transport.is_authenticated():
            cause = transport.get_exception()
            # A transport that still runs was told no; asking again would change nothing.
            if transport.is_active() or isinstance(cause, paramiko.AuthenticationException):
                raise SshUnreachable(address, port, 1, cause or PermissionError("the guest refused our key"))
            raise _NotYet from (cause or EOFError("the connection closed during the login"))
    except BaseException:
        await _close(transport)
        raise
    return transport


def _user_key(secrets: BootSecrets) -> paramiko.PKey:
    import io

    import paramiko
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = Ed25519PrivateKey.from_private_bytes(secrets.user_private).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text.decode()))


# In a thread: paramiko waits here for its own. Shielded: a second cancellation must not leave it half done.
async def _close(transport: paramiko.Transport) -> None:
    def close() -> None:
        transport.close()
        transport.sock.close()
        transport.join()
        # Ends paramiko's timer thread, which a connection that ends in the key exchange would leave behind.
        transport.packetizer.complete_handshake()

    await asyncio.shield(asyncio.to_thread(close))
