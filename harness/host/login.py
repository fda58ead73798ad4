"""Log in to a host by SSH, its key known beforehand, through the machines that lead there."""

from __future__ import annotations

import io
import logging
import shlex
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.ssh_words import ssh_words
from harness.scenario.hosts import HostEntry

if TYPE_CHECKING:
    import paramiko

__all__ = ["Line", "Login", "login_by_entry", "login_by_secrets"]

# A network that swallows everything is noticed after this (tcp(7) TCP_USER_TIMEOUT), and asked that often.
_UNHEARD_MS = 30_000
_KEEPALIVE_S = 10


@dataclass(frozen=True, slots=True)
class Line:
    """Be one connection that is logged in, over those that lead to it."""

    transport: paramiko.Transport
    below: ExitStack

    def close(self) -> None:
        """End it and its threads; blocks for a moment."""
        self.below.close()


#: Opens a new connection; blocks, so it runs in a thread of its own. Raises HostError.
Login = Callable[[Deadline], Line]


def login_by_entry(name: str, entry: HostEntry, jumps: Sequence[HostEntry]) -> Login:
    """Return the login to a machine of the inventory.

    The login raises :class:`HostError` where the machine cannot be reached, where its key is not the one in
    known_hosts, and where it refuses our keys; each with the command to type.
    """

    def login(deadline: Deadline) -> Line:
        with ExitStack() as below:
            channel: paramiko.Channel | None = None
            transport: paramiko.Transport | None = None
            for stop in (*jumps, entry):
                if transport is not None:
                    channel = _lead_on(name, transport, stop, deadline)
                transport = _log_in(name, stop, channel, deadline, below)
            assert transport is not None
            return Line(transport, below.pop_all())
        raise AssertionError("an ExitStack of connections swallows nothing")  # pragma: no cover

    return login


def login_by_secrets(port: int, host_public: bytes, user_private: bytes) -> Login:
    """Return the login to a machine of our own making behind a port of this one; its keys are 32 bytes of Ed25519.

    The login raises :class:`HostError` where another key answers, or none.
    """

    def login(deadline: Deadline) -> Line:
        import paramiko
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        text = Ed25519PrivateKey.from_private_bytes(user_private).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        algorithm = b"ssh-ed25519"
        # RFC 8709 section 4; a string is its length and its bytes (RFC 4251 section 5).
        blob = b"".join(len(part).to_bytes(4, "big") + part for part in (algorithm, host_public))
        left_s = deadline.remaining_s + 0.1
        with ExitStack() as below:
            client = paramiko.SSHClient()
            below.callback(_close, client)
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            client.get_host_keys().add(f"[127.0.0.1]:{port}", "ssh-ed25519", paramiko.Ed25519Key(data=blob))
            try:
                client.connect(
                    "127.0.0.1",
                    port,
                    "root",
                    pkey=paramiko.Ed25519Key.from_private_key(io.StringIO(text.decode())),
                    allow_agent=False,
                    look_for_keys=False,
                    timeout=left_s,
                    banner_timeout=left_s,
                    auth_timeout=left_s,
                )
                transport = _settled(client)
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise HostError(f"the virtual host cannot be reached: {ssh_words(error)}") from error
            return Line(transport, below.pop_all())
        raise AssertionError("an ExitStack of connections swallows nothing")  # pragma: no cover

    return login


def _lead_on(name: str, transport: paramiko.Transport, stop: HostEntry, deadline: Deadline) -> paramiko.Channel:
    import paramiko

    try:
        return transport.open_channel(
            "direct-tcpip", (stop.address, stop.port), ("127.0.0.1", 0), timeout=deadline.remaining_s + 0.1
        )
    except (paramiko.SSHException, OSError, EOFError) as error:
        why = ssh_words(error)
        raise HostError(f"host {name}: the jump host does not lead to {stop.address}:{stop.port}: {why}") from error


def _log_in(
    name: str, stop: HostEntry, channel: paramiko.Channel | None, deadline: Deadline, below: ExitStack
) -> paramiko.Transport:
    import paramiko

    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    where = f"host {name} ({stop.user}@{stop.address}:{stop.port})"
    client = paramiko.SSHClient()
    below.callback(_close, client)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    known_hosts = Path(stop.known_hosts).expanduser()
    try:
        client.load_host_keys(str(known_hosts))
    except FileNotFoundError as error:
        raise HostError(f"{where}: its key cannot be checked: {known_hosts} does not exist; {_learn(stop)}") from error
    except (OSError, paramiko.SSHException) as error:
        raise HostError(f"{where}: {known_hosts} cannot be read: {error}") from error
    left_s = deadline.remaining_s + 0.1
    try:
        client.connect(
            stop.address,
            stop.port,
            stop.user,
            key_filename=None if stop.key is None else str(Path(stop.key).expanduser()),
            allow_agent=stop.key is None,
            look_for_keys=stop.key is None,
            sock=channel,
            timeout=left_s,
            banner_timeout=left_s,
            auth_timeout=left_s,
        )
        return _settled(client)
    except paramiko.BadHostKeyException as error:
        raise HostError(
            f"{where}: THE HOST KEY HAS CHANGED since it was written into {known_hosts}. Either the machine was "
            f"installed anew, or something else answers in its place. If you know why: "
            f"`ssh-keygen -f {shlex.quote(str(known_hosts))} -R {shlex.quote(_known_as(stop))}`, then {_learn(stop)}"
        ) from error
    except paramiko.AuthenticationException as error:
        tried = f"the key {stop.key}" if stop.key else "the keys of the agent and of ~/.ssh"
        asked = client.get_transport()
        # A server that has said no goes on, or has said no too often; paramiko calls one that went away the same.
        told = asked is not None and asked.is_active()
        what = f"refuses {tried}" if told else f"cannot be reached: it ended the connection when shown {tried}"
        raise HostError(f"{where} {what}; try `ssh -p {stop.port} {stop.user}@{stop.address} true`") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        if "not found in known_hosts" in str(error):
            raise HostError(f"{where}: its key is not in {known_hosts}; {_learn(stop)}") from error
        raise HostError(f"{where} cannot be reached: {ssh_words(error)}") from error


def _settled(client: paramiko.SSHClient) -> paramiko.Transport:
    transport = client.get_transport()
    assert transport is not None  # connected
    transport.set_keepalive(_KEEPALIVE_S)
    if isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return transport


def _close(client: paramiko.SSHClient) -> None:
    transport = client.get_transport()
    client.close()
    if transport is not None:
        transport.sock.close()
        transport.join(5)


def _known_as(stop: HostEntry) -> str:
    # sshd(8), known_hosts: a port other than 22 is written with the name in brackets.
    return stop.address if stop.port == 22 else f"[{stop.address}]:{stop.port}"


def _learn(stop: HostEntry) -> str:
    return (
        f"`ssh-keyscan -p {stop.port} {shlex.quote(stop.address)} >>{stop.known_hosts}` after you have compared the "
        "fingerprint with the machine's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`)"
    )
