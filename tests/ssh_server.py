"""Run real SSH servers in processes of their own that a test can kill, on loopback or behind networks it can cut."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.scenario.hosts import HostEntry

__all__ = ["Network", "Server", "inventory", "network", "serve"]

# dropbear takes the keys that it lets in from the user's home. In a mount namespace of its own, the user has another.
_IN_A_HOME = """
mount --bind "$1/passwd" /etc/passwd && shift && exec "$@"
"""


@dataclass(frozen=True)
class Network:
    """Be a network of its own, which a pair of virtual Ethernet devices joins to ours."""

    holder: int
    address: str

    def enter(self, *words: str) -> list[str]:
        """Return the command line that runs a program in it."""
        return ["nsenter", "--target", str(self.holder), "--net", *words]

    def cut(self) -> None:
        """Let every packet vanish from now on, without a word to anybody."""
        subprocess.run(self.enter("ip", "link", "set", "eth0", "down"), check=True)


@contextmanager
def network(number: int) -> Iterator[Network]:
    """Make one; ``number`` is below 64, and a test's own."""
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        pytest.skip("ip and nsenter are needed for a network of its own")
    # RFC 2544: 198.18.0.0/15 is for measuring, and nobody's.
    ours, theirs = (f"198.18.{os.getpid() % 256}.{4 * number + end}" for end in (1, 2))
    name = f"sv{os.getpid()}n{number}"
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as holder:
        made = Network(holder.pid, theirs)
        try:
            while Path(f"/proc/{holder.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
                if holder.poll() is not None:
                    pytest.skip("a network namespace cannot be made here")
                time.sleep(0.01)
            pair = ["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid)]
            if (done := subprocess.run(pair, capture_output=True, text=True, check=False)).returncode:
                pytest.skip(f"virtual Ethernet cannot be had here: {done.stderr.strip()}")
            for words in (
                ["ip", "addr", "add", f"{ours}/30", "dev", name],
                ["ip", "link", "set", name, "up"],
                made.enter("ip", "addr", "add", f"{theirs}/30", "dev", "eth0"),
                made.enter("ip", "link", "set", "eth0", "up"),
                made.enter("ip", "link", "set", "lo", "up"),
            ):
                subprocess.run(words, check=True)
            yield made
        finally:
            subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
            holder.kill()


@dataclass
class Server:
    """Be a dropbear that lets in one key; ``network`` None: on our own loopback."""

    folder: Path
    port: int
    network: Network | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return "127.0.0.1" if self.network is None else self.network.address

    @property
    def entry(self) -> HostEntry:
        return HostEntry(
            address=self.address,
            port=self.port,
            user="root",
            key=str(self.folder / "user_key"),
            known_hosts=str(self.folder / "known_hosts"),
        )

    @property
    def inventory(self) -> str:
        return inventory({"loopback": self})

    def start(self) -> None:
        words = [
            *(self.network.enter() if self.network is not None else ()),
            *_namespace(), "sh", "-c", _IN_A_HOME, "sh", str(self.folder),
            _dropbear(), "-F", "-E", "-s", "-r", str(self.folder / "host_key"), "-p", f"{self.address}:{self.port}",
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
                if probe.connect_ex((self.address, self.port)) == 0:
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

    def power_off(self) -> None:
        """End everything that runs there at once."""
        _kill_all(self.processes())
        if self.process is not None:
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


def inventory(servers: Mapping[str, Server], slots: int | None = None) -> str:
    """Return the inventory that names these; ``slots`` as in it, None: left out."""
    rows = ["hosts:"]
    for name, server in servers.items():
        entry = server.entry.model_dump(exclude_defaults=True) | {"user": "root"}
        rows += [f"  {name}:", *(f"    {key}: {value}" for key, value in entry.items())]
        rows += [] if slots is None else [f"    slots: {slots}"]
    return "\n".join([*rows, ""])


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
def serve(folder: Path, network: Network | None = None) -> Iterator[Server]:
    """Run a server whose user lives in ``folder``, on our loopback or in a network of its own; end it afterwards."""
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
    server = Server(folder, port, network)
    (folder / "known_hosts").write_text(f"[{server.address}]:{port} {kind} {key}\n")
    server.start()
    try:
        yield server
    finally:
        server.kill()
        _kill_all(server.processes())
