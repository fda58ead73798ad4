"""A pool that leaves loopback speaks TLS, by real certificates, and lets nobody in who has none."""

from __future__ import annotations

import importlib.util
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.pool.cluster import Tls, run_jobs
from harness.pool.jobs import Job
from harness.pool.journal import Attempt, End

from .certificates import authority
from .fake import log_of, task_in

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra pool is not installed"),
    pytest.mark.filterwarnings("default"),
]

_ADDRESS = "127.0.0.2"


def run(folder: Path, tls: Tls, *jobs: Job) -> Mapping[str, Attempt]:
    return run_jobs(jobs, {"a": 1, "b": 1}, task_in(folder, {"a": 1, "b": 1}), lambda attempt: None, tls)


def listening(address: str) -> set[int]:
    """Return the TCP ports that somebody listens on at an address (proc(5), /proc/net/tcp: state 0A)."""
    number = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[1].startswith(number) and row[3] == "0A"}


def test_all_of_a_pool_is_behind_tls(tmp_path: Path) -> None:
    tls = authority(tmp_path / "lab", _ADDRESS)
    stranger = authority(tmp_path / "stranger", _ADDRESS)
    found: dict[str, Attempt] = {}
    jobs = [Job(name, ("run", "pass", "3", name), host=name) for name in "ab"]
    thread = threading.Thread(target=lambda: found.update(run(tmp_path, tls, *jobs)))
    thread.start()
    while len(log_of(tmp_path)) < 2:
        thread.join(0.05)
        assert thread.is_alive()
    ports = listening(_ADDRESS)
    assert len(ports) >= 3  # the scheduler, and of each host the nanny and its worker
    for port in ports:
        assert _answers(port, tls)
        assert not _answers(port, replace(stranger, ca_file=tls.ca_file))
        assert not _answers(port, replace(tls, ca_file=stranger.ca_file))
    thread.join(60)
    assert {name: attempt.end for name, attempt in found.items()} == {"a": End.DONE, "b": End.DONE}


def _answers(port: int, tls: Tls) -> bool:
    """Tell whether whoever listens proves to be of ``tls``, and speaks to us."""
    context = ssl.create_default_context(cafile=str(tls.ca_file))
    context.load_cert_chain(tls.cert, tls.key)
    try:
        with (
            socket.create_connection((_ADDRESS, port), 5) as plain,
            context.wrap_socket(plain, server_hostname=_ADDRESS) as secure,
        ):
            return bool(secure.recv(1))  # with TLS 1.3 a client that is refused learns of it when it reads
    except (ssl.SSLError, ConnectionError):
        return False


def test_files_that_cannot_serve_are_named(tmp_path: Path) -> None:
    tls = authority(tmp_path / "lab", _ADDRESS)
    other = authority(tmp_path / "other", _ADDRESS)
    for wrong in (replace(tls, ca_file=other.ca_file), replace(tls, key=other.key), replace(tls, cert=tmp_path / "no")):
        with pytest.raises(InputError, match=f"the pool cannot be started at {_ADDRESS} with .*pem"):
            run(tmp_path, wrong, Job("j", ("run", "pass", "0", "j")))
    assert not log_of(tmp_path)
