"""Serve SSH on loopback with paramiko, so that tests can make the other side misbehave."""

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.guest.secrets import BootSecrets, public_blob

Behaviour = Callable[[paramiko.Channel, bytes], None]


def pkey(private: bytes) -> paramiko.PKey:
    text = Ed25519PrivateKey.from_private_bytes(private).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text.decode()))


class Server(paramiko.ServerInterface):
    def __init__(self, secrets: BootSecrets, behave: Behaviour) -> None:
        self.secrets, self.behave = secrets, behave

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = username == "root" and key.asbytes() == public_blob(self.secrets.user_public)
        return paramiko.common.AUTH_SUCCESSFUL if right else paramiko.common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def behave() -> None:
            # A client that leaves in the middle is a part of these tests.
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                # Its answer can only be handled once our caller has sent the reply to this request.
                channel.get_transport().global_request("sync@test", wait=True)
                self.behave(channel, command)

        threading.Thread(target=behave, name="server-behave", daemon=True).start()
        return True


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection on a free port of loopback in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            open_sockets.append(connection)
            threading.Thread(target=serve, args=(connection,), name="server-serve", daemon=True).start()

    threading.Thread(target=accept, name="server-accept", daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in open_sockets:
            connection.close()


@contextmanager
def ssh_server(secrets: BootSecrets, behave: Behaviour) -> Iterator[int]:
    transports: list[paramiko.Transport] = []

    def serve(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transports.append(transport)
        transport.add_server_key(pkey(secrets.host_private))
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=Server(secrets, behave))

    with listener(serve) as port:
        try:
            yield port
        finally:
            for transport in transports:
                transport.close()
                transport.join(5)


def finish(channel: paramiko.Channel, status: int = 0) -> None:
    channel.send_exit_status(status)
    channel.close()
