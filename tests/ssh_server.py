"""Run a real SSH server on loopback, in a process of its own that a test can kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.scenario.hosts import HostEntry

__all__ = ["Server", "serve"]

# dropbear takes the keys that it lets in from the user's home. In a mount namespace of its own, the user has another.
_IN_A_HOME = """
mount --bind "$1/passwd" /etc/passwd && shift && exec "$@"
"""


@dataclass
class Server:
    """Be a dropbear that lets in one key."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def entry(self) -> HostEntry:
        return HostEntry(
            address="127.0.0.1",
            port=self.port,
            user="root",
            key=str(self.folder / "user_key"),
            known_hosts=str(self.folder / "known_hosts"),
        )

    @property
    def inventory(self) -> str:
        entry = self.entry
        return (
            f"hosts:\n  loopback:\n    address: {entry.address}\n    port: {entry.port}\n    user: {entry.user}\n"
            f"    key: {entry.key}\n    known_hosts: {entry.known_hosts}\n"
        )

    def start(self) -> None:
        words = [
            *_namespace(), "sh", "-c", _IN_A_HOME, "sh", str(self.folder),
            _dropbear(), "-F", "-E", "-s", "-r", str(self.folder / "host_key"), "-p", f"127.0.0.1:{self.port}",
            "-P", str(self.folder / "pid"),
        ]  # fmt: skip
        environment = {**os.environ, "TMPDIR": str(self.folder / "tmp")}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
            )
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        pytest.skip(f"no SSH server can be run here: {(self.folder / 'server.log').read_text()[-300:]}")

    def kill(self) -> None:
        """End the server and every connection at once, as when the machine's network goes."""
        if self.process is not None:
            _kill_all(pid for pid, words in self.processes().items() if "dropbear" in words.split()[0])
            self.process.wait()
            self.process = None

    def processes(self) -> dict[int, str]:
        """Return what runs below the server's folder, by process id: its command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"TMPDIR={self.folder}/tmp".encode() not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if words:
                found[int(folder.name)] = words
        return found


def _kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        # A connection's server may have ended by itself between the look into /proc and now.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _dropbear() -> str:
    found = shutil.which("dropbear", path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
    if found is None:
        pytest.skip("dropbear is not installed")
    return found


def _namespace() -> list[str]:
    for words in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
        ):
            return words
    pytest.skip("a mount namespace cannot be made here")


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run a server whose user lives in ``folder``, and end it afterwards."""
    (folder / ".ssh").mkdir(parents=True)
    (folder / "tmp").mkdir()
    for name in ("host_key", "user_key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
        if shutil.which("ssh-keygen") is None:
            pytest.skip("ssh-keygen is not installed")
        subprocess.run(words, check=True)
    convert = ["dropbearconvert", "openssh", "dropbear", str(folder / "host_key"), str(folder / "host_key.db")]
    subprocess.run(convert, check=True, capture_output=True)
    (folder / "host_key").unlink()
    (folder / "host_key.db").rename(folder / "host_key")
    # dropbear gives a command a fresh environment; the mark has to come back into it.
    (folder / "forced").write_text(f'#!/bin/sh\nexport TMPDIR={folder}/tmp\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    (folder / "forced").chmod(0o700)
    key = (folder / "user_key.pub").read_text()
    (folder / ".ssh" / "authorized_keys").write_text(f'command="{folder}/forced" {key}')
    for path in (folder, folder / ".ssh", folder / ".ssh" / "authorized_keys"):
        path.chmod(0o700)
    (folder / "passwd").write_text(f"root:x:0:0:root:{folder}:/bin/sh\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kind, key = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    server = Server(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        _kill_all(server.processes())
