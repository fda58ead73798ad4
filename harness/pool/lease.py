"""Lease a host to one job at a time, or its slots to several, among all processes of this machine.

A lease is a lock that the kernel holds for the job's process (flock(2)): it is free at the moment the last process that
has it is gone, however that died, and nobody can take it from one that lives, slow as it may be. The job's own command
inherits it, so a host is not given away while boots of a dead controller still run there. ``fence`` goes up by one with
each lease of a host, and stands in the journal: what an earlier holder writes later can be told from the present.
A heartbeat tells a person who has stopped; nothing depends on it.

Who waits has a ticket: a higher priority goes first, then who came first, so that an exclusive job is not starved by
boots that each need only one slot. Hosts that are held for debugging, or quarantined, are given to nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event

from harness.clock import utc_now
from harness.errors import HostError
from harness.host.file_lock import try_lock
from harness.results.files import write_whole

__all__ = ["Blocked", "HostState", "Lease", "Leases", "Who"]

# Nothing announces that a lock became free to those who may not have it yet.
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Who:
    """Say for whom a lease is: a name for people, the job, and the process."""

    client: str
    job: str
    pid: int = field(default_factory=os.getpid)


class Blocked(HostError):
    """State that a host is held for debugging or quarantined, and why."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Be a lease that is held. ``descriptors`` are what a command must inherit to hold it too."""

    host: str
    fence: int
    descriptors: tuple[int, ...]
    _files: tuple[Path, ...]

    def beat(self) -> None:
        """Show that we are alive."""
        for path in self._files:
            os.utime(path)


@dataclass(frozen=True, slots=True)
class HostState:
    """Say who has a host: ``holders`` hold slots, ``waiting`` counts those with a ticket.

    ``blocked`` says why nobody gets it, empty if nothing does. ``silent_s`` is the longest time without a heartbeat.
    """

    host: str
    slots: int
    holders: tuple[str, ...]
    waiting: int
    blocked: str
    fence: int
    silent_s: float


class Leases:
    """Be the leases of all hosts; ``folder`` is shared by all clients on this machine."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when it is needed."""
        self._folder = folder

    @contextmanager
    def hold(
        self, host: str, slots: int, who: Who, *, exclusive: bool = False, priority: int = 0, stop: Event | None = None
    ) -> Iterator[Lease]:
        """Wait for one of the host's ``slots``, or for all of them, and hold it in the body.

        :raise Blocked: when the host is held or quarantined, also while we wait.
        :raise InterruptedError: when ``stop`` is set before it is our turn.
        """
        wait = stop or Event()
        with ExitStack() as stack:
            ticket = stack.enter_context(self._ticket(host, priority))
            while (lease := self._try(host, slots, who, exclusive, ticket, stack)) is None:
                if wait.wait(_LOOK_AGAIN_S):
                    raise InterruptedError
            yield lease

    def block(self, host: str, why: str) -> None:
        """Give the host to nobody from now on; ``why`` is for people. Who has it keeps it."""
        with self._gate(host):
            self._write(host, {**self._read(host), "blocked": f"{why} (since {utc_now():%Y-%m-%d %H:%M} UTC)"})

    def release(self, host: str) -> None:
        """Give the host to whoever waits again."""
        with self._gate(host):
            self._write(host, {**self._read(host), "blocked": ""})

    def state(self, host: str, slots: int) -> HostState:
        """Look at who has a host."""
        with self._gate(host):
            about = self._read(host)
            now_s = utc_now().timestamp()
            holders: dict[str, None] = {}
            silent_s = 0.0
            for path in sorted(self._at(host).glob("slot-*")):
                if not _is_free(path):
                    said = json.loads(path.read_text() or "{}")
                    alone = ", alone" if said.get("exclusive") else ""
                    holders[f"{said.get('client')}: {said.get('job')} (pid {said.get('pid')}{alone})"] = None
                    silent_s = max(silent_s, now_s - path.stat().st_mtime)
            waiting = sum(not _is_free(path) for path in self._at(host).glob("ticket-*"))
            return HostState(
                host, slots, tuple(holders), waiting, str(about.get("blocked", "")), _fence(about), silent_s
            )

    def _at(self, host: str) -> Path:
        return self._folder / host

    @contextmanager
    def _gate(self, host: str) -> Iterator[None]:
        # Held for a moment only: whoever looks or takes does so alone.
        self._at(host).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._at(host) / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _ticket(self, host: str, priority: int) -> Iterator[Path]:
        with self._gate(host):
            about = self._read(host)
            number = _number(about.get("tickets")) + 1
            self._write(host, {**about, "tickets": number})
            # Sorts as they are served: priority is turned round, and no file name is negative.
            path = self._at(host) / f"ticket-{10**6 - priority:07d}-{number:012d}"
            descriptor = try_lock(path)
        assert descriptor is not None  # the number is new
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def _try(
        self, host: str, slots: int, who: Who, exclusive: bool, ticket: Path, stack: ExitStack
    ) -> Lease | None:  # fmt: skip
        with self._gate(host), ExitStack() as taken:
            about = self._read(host)
            if about.get("blocked"):
                raise Blocked(
                    f"host {host} is given to nobody: {about['blocked']}; svsm-harness hosts --release {host}"
                )
            for other in sorted(self._at(host).glob("ticket-*")):
                if other == ticket:
                    break
                if not _is_free(other):
                    return None
                other.unlink(missing_ok=True)  # who had it is dead
            held: list[tuple[Path, int]] = []
            # One who had more slots configured may still hold those.
            names = {f"slot-{number}" for number in range(slots)}
            names |= {path.name for path in self._at(host).glob("slot-*")} if exclusive else set()
            for name in sorted(names):
                path = self._at(host) / name
                descriptor = try_lock(path)
                if descriptor is not None:
                    taken.callback(os.close, descriptor)
                    held.append((path, descriptor))
                    if not exclusive:
                        break
            if len(held) < (len(names) if exclusive else 1):
                return None
            fence = _fence(about) + 1
            self._write(host, {**about, "fence": fence})
            for path, _ in held:
                path.write_text(json.dumps({**asdict(who), "fence": fence, "exclusive": exclusive}))
            stack.push(taken.pop_all())
            ticket.unlink(missing_ok=True)
            return Lease(host, fence, tuple(number for _, number in held), tuple(path for path, _ in held))

    def _read(self, host: str) -> dict[str, object]:
        with suppress(OSError, ValueError):
            found = json.loads((self._at(host) / "host.json").read_bytes())
            if isinstance(found, dict):
                return found
        return {}

    def _write(self, host: str, about: dict[str, object]) -> None:
        write_whole(self._at(host) / "host.json", json.dumps(about).encode())


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _fence(about: dict[str, object]) -> int:
    return _number(about.get("fence"))


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
