"""Logging in: what is refused, and with which command to type."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest
from ssh_server import Server

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.login import login_by_entry
from harness.scenario.hosts import HostEntry


def log_in(entry: HostEntry, *jumps: HostEntry) -> None:
    line = login_by_entry("lab1", entry, jumps)(Deadline.after(20))
    assert line.transport.is_authenticated()
    line.close()


@dataclass
class Refused:
    """Catch the sentence of a login that must fail."""

    entry: HostEntry

    def __str__(self) -> str:
        with pytest.raises(HostError) as raised:
            log_in(self.entry)
        return str(raised.value)


def test_the_right_key_lets_in_also_through_another_machine(server: Server) -> None:
    log_in(server.entry)
    log_in(server.entry, server.entry)


def test_a_changed_key_is_told_loudly_with_what_to_type(server: Server) -> None:
    known = server.folder / "known_hosts"
    where, kind, _ = known.read_text().split()
    known.write_text(f"{where} {kind} {(server.folder / 'user_key.pub').read_text().split()[1]}\n")
    said = str(Refused(server.entry))
    assert "THE HOST KEY HAS CHANGED" in said
    assert f"ssh-keygen -f {known} -R '[127.0.0.1]:{server.port}'" in said
    assert f"ssh-keyscan -p {server.port} 127.0.0.1" in said


def test_an_unknown_key_is_never_taken(server: Server) -> None:
    known = server.folder / "known_hosts"
    known.write_text("")
    said = str(Refused(server.entry))
    assert f"its key is not in {known}" in said
    assert "ssh-keyscan" in said and "fingerprint" in said
    assert known.read_text() == ""
    known.unlink()
    assert "does not exist" in str(Refused(server.entry))


def test_a_key_that_it_does_not_let_in_is_named(server: Server, tmp_path: Path) -> None:
    (server.folder / ".ssh" / "authorized_keys").write_text("")
    said = str(Refused(server.entry))
    assert f"refuses the key {server.folder}/user_key" in said
    assert "PRIVATE" not in said


def test_nobody_there_is_unreachable(server: Server) -> None:
    server.kill()
    assert "cannot be reached" in str(Refused(server.entry))


class GoesAway(paramiko.ServerInterface):
    """Be a server that ends the connection instead of an answer to a key."""

    transport: paramiko.Transport

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.transport.close()
        return paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


@contextmanager
def going_away(entry: HostEntry, folder: Path) -> Iterator[HostEntry]:
    """Yield the entry of a server that goes away when it is shown a key."""
    key = paramiko.ECDSAKey.generate()
    known = folder / "known_of_another"
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")

        def serve() -> None:
            server = GoesAway()
            server.transport = paramiko.Transport(listener.accept()[0])
            server.transport.add_server_key(key)
            server.transport.start_server(threading.Event(), server)

        thread = threading.Thread(target=serve)
        thread.start()
        yield entry.model_copy(update={"port": port, "known_hosts": str(known)})
        thread.join()


def test_a_server_that_goes_away_is_not_said_to_refuse_the_key(server: Server, tmp_path: Path) -> None:
    with going_away(server.entry, tmp_path) as entry:
        said = str(Refused(entry))
    assert f"cannot be reached: it ended the connection when shown the key {server.folder}/user_key" in said
    assert "refuses" not in said


def test_a_jump_that_leads_nowhere_is_told(server: Server) -> None:
    nowhere = server.entry.model_copy(update={"port": 1})
    with pytest.raises(HostError, match=r"the jump host does not lead to 127\.0\.0\.1:1"):
        log_in(nowhere, server.entry)
