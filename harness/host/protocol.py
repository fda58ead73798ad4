"""Define what the harness asks of a host: run a shell script there, to its end or while it is read.

The far side needs a POSIX shell and QEMU, nothing of ours installed, so everything else (tracefs, dmesg, limits, QEMU
itself) is written as scripts over these two calls and is the same code on every host.
"""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from harness.clock import Deadline
from harness.errors import EvidenceLost

__all__ = ["Dialled", "Finished", "Host", "HostFacts", "HostKind", "HostLost", "HostProcess", "QemuHost"]


class HostKind(StrEnum):
    """Name how a host is reached."""

    LOCAL = "local"
    SSH = "ssh"
    VIRTUAL = "virtual"


class HostLost(EvidenceLost):
    """State that the host went away under us; what ran on it is INCONCLUSIVE."""

    def __init__(self, host: str, doing: str, cause: object) -> None:
        """Take the host's name, what was being done, and what was seen of the loss."""
        self.host = host
        super().__init__(f"host {host} was lost while {doing}: {cause}")


@dataclass(frozen=True, slots=True)
class Finished:
    """Hold how a script ended; ``status`` is its exit status, None when a signal ended it."""

    status: int | None
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Say what a host is; ``boot_id`` is the kernel's, new at every boot of the host.

    ``cpus`` counts those that are online and that we may use; ``release`` is ``uname -r``.
    """

    release: str
    boot_id: str
    cpus: int
    memory_bytes: int
    cpu_model: str


class HostProcess(Protocol):
    """Be one script that runs on the host."""

    async def receive(self) -> tuple[bytes, bytes] | None:
        """Return the next (stdout, stderr) bytes, one of them not empty; None at the end of both.

        :raise HostLost: when the host went away.
        """

    async def send(self, content: bytes) -> None:
        """Write to the script's standard input; what it no longer reads is dropped.

        :raise HostLost: when the host went away.
        """

    async def status(self) -> int | None:
        """Return the exit status once :meth:`receive` has returned None; None when a signal ended the script.

        :raise HostLost: when the host went away first.
        """


class Host(Protocol):
    """Be a machine on which QEMU can run."""

    @property
    def name(self) -> str:
        """Return the name that ``--host`` takes and every record carries."""

    @property
    def kind(self) -> HostKind:
        """Return how it is reached."""

    async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
        """Run a POSIX shell script to its end and drain both its streams.

        :raise HostLost: when the host went away.
        :raise TimeoutError: at the deadline; what the script started is ended.
        """

    def open(self, script: str) -> AbstractAsyncContextManager[HostProcess]:
        """Start a POSIX shell script; leaving the body closes its streams and ends it.

        Its standard input stays open until then, and its end is how a script learns that the harness is gone.

        :raise HostLost: when the host went away.
        """


class QemuHost(Host, Protocol):
    """Be a host that a run boots on: besides scripts, it takes files and leads to ports of its own loopback."""

    @property
    def facts(self) -> HostFacts:
        """Return what was found when the host was opened."""

    async def put(self, content: bytes | Path, deadline: Deadline) -> str:
        """Return the path there of a file with this content, copied at most once in a run.

        On this machine that is the file itself. What was copied is gone after the run, also one that is killed.

        :raise HostError: when it cannot be written there.
        :raise HostLost: when the host went away.
        """

    async def folder(self, deadline: Deadline) -> str:
        """Return the path there of a folder of this run's own, open to nobody else; gone after the run.

        :raise HostError: when it cannot be made.
        :raise HostLost: when the host went away.
        """

    def dial(self, port: int) -> AbstractAsyncContextManager[Dialled]:
        """Lead to a port on the host's own loopback, without a port of ours; leaving closes every connection.

        :raise HostLost: when the host went away.
        """

    async def explain(self, lost: HostLost) -> str:
        """Say for a person how the host was lost: by a reboot, or only the connection to it."""


class Dialled(Protocol):
    """Be the way to one port of a host."""

    async def connect(self, deadline: Deadline) -> socket.socket:
        """Return a new connection, not blocking; the caller closes it.

        :raise OSError: when it is refused.
        :raise HostLost: when the host went away.
        :raise TimeoutError: at the deadline.
        """
