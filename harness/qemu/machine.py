"""Bring up one QEMU with its monitor and consoles, and take all of it down again."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path

from harness.clock import Deadline, monotonic_s
from harness.errors import HarnessBug, HostError, LaunchError
from harness.host.protocol import Host, HostLost
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.console import Console
from harness.qemu.monitor import Monitor, MonitorLost, QemuHungUp, QmpRefused, connect_monitor
from harness.qemu.process import AnyQemu, describe_status, start_process
from harness.qemu.there import start_process_there, wiring_there

__all__ = ["Journal", "There", "VirtualMachine", "launch"]

# What QEMU said when it refused its command line is a few lines; more than this is a flood.
_STDERR_TAIL_BYTES = 4096
# socket(7): as SO_SNDBUF, but beyond the system's limit; for root only. Python's socket module does not name it.
_SO_SNDBUFFORCE = 32
_SOCKET_BUFFER_BYTES = 8 << 20
# A QEMU that was told to quit has nothing left to do but flush and exit.
_QUIT_S = 3.0


class Journal:
    """Write down what is said over QMP, a line each, until the disk is full; ``failure`` says then what happened."""

    def __init__(self, file: RawIOBase) -> None:
        """Take the unbuffered file."""
        self._file = file
        self.failure: str | None = None

    def write(self, line: str) -> None:
        """Append one line; never raises, because the events behind it must be heard all the same."""
        data = f"{line}\n".encode()
        if self.failure is not None:
            return
        try:
            if self._file.write(data) != len(data):
                self.failure = os.strerror(errno.ENOSPC)
        except OSError as error:
            self.failure = error.strerror or str(error)


@dataclass
class VirtualMachine:
    """Be one QEMU that is up; the guest runs once :meth:`start` was called.

    ``started_s`` is on :func:`~harness.clock.monotonic_s`; every time in the record counts from it.
    """

    process: AnyQemu
    monitor: Monitor
    consoles: Mapping[Stream, Console]
    journal: Journal
    started_s: float
    followers: list[asyncio.Task[None]] = field(default_factory=list)
    asked_to_end: bool = False

    def now_s(self) -> float:
        """Return the seconds since QEMU was started."""
        return monotonic_s() - self.started_s

    @property
    def console(self) -> Console:
        """Return the guest's first console."""
        return self.consoles[Stream.CONSOLE]

    async def start(self, deadline: Deadline) -> None:
        """Let the guest run.

        A guest may be over, and QEMU with it, before QEMU has answered; its exit status then tells the rest.

        :raise MonitorLost, QmpRefused: as :meth:`Monitor.execute`.
        """
        with suppress(QemuHungUp):
            await self.monitor.execute("cont", None, deadline)

    async def forwarded_port(self, deadline: Deadline) -> int:
        """Ask which port of this machine leads to the guest's SSH.

        :raise HostError: if QEMU's answer has no forwarded port (QEMU ``info usernet``, net/slirp.c).
        """
        text = await self.monitor.human("info usernet", deadline)
        match = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", text)
        if match is None:
            raise HostError(f"QEMU forwards no port to the guest's SSH; `info usernet` says: {text.strip()!r}")
        return int(match[1])

    async def vcpu_threads(self, deadline: Deadline) -> tuple[int, ...]:
        """Return the thread ids of the vCPUs, in their order, on the machine that QEMU runs on.

        :raise MonitorLost, QmpRefused: as :meth:`Monitor.execute`.
        """
        cpus = await self.monitor.execute("query-cpus-fast", None, deadline)
        return tuple(cpu["thread-id"] for cpu in sorted(cpus, key=lambda cpu: int(cpu["cpu-index"])))

    async def quit(self) -> int:
        """End QEMU by its monitor, by a signal if that fails, and return how it ended.

        :raise HostLost: if it runs on another machine, which was lost.
        """
        self.asked_to_end = True
        deadline = Deadline.after(_QUIT_S)
        if self.process.status is None:
            # Refused or unheard, it is ending already or does not listen: the process decides.
            with suppress(MonitorLost, QmpRefused):
                await self.monitor.execute("quit", None, deadline)
        status = await self.process.end(deadline)
        await self.drain(Deadline.after(_QUIT_S))
        return status

    async def drain(self, deadline: Deadline) -> None:
        """Read the consoles to their end, after QEMU has gone.

        :raise TimeoutError: never; a console that is not read to its end by the deadline is not ``closed``.
        """
        await asyncio.wait(self.followers, timeout=deadline.remaining_s)


@dataclass(frozen=True, slots=True)
class There:
    """Say where QEMU runs if not here: the host, and the boot's folder on it, which exists."""

    host: Host
    folder: str


@asynccontextmanager
async def launch(
    build: Callable[[Wiring], QemuCommand],
    streams: Sequence[Stream],
    folder: Path,
    deadline: Deadline,
    *,
    fds: Sequence[int] = (),
    saw: Callable[[Stream, bytes], None] | None = None,
    there: There | None = None,
) -> AsyncIterator[VirtualMachine]:
    """Start the QEMU that ``build`` describes and yield it, stopped before its first guest instruction.

    ``folder`` gets ``STREAM.log``, ``qemu.stderr``, ``qmp.jsonl`` and ``qemu.sh``. ``fds`` are further
    descriptors that QEMU inherits. ``saw`` is called with each piece of console text. ``there`` starts it on another
    machine; its folder there is gone afterwards. QEMU is gone when the body ends.

    :raise LaunchError: if QEMU ends before it greets; carries its standard error and a line for a shell.
    :raise HostLost: if the other machine is lost meanwhile, or somebody there kills QEMU before it greets.
    """
    async with AsyncExitStack() as stack:
        ours: dict[Stream, socket.socket] = {}
        # The trace is long, nobody reads it live, and it counts its own lines: it goes to its file.
        files: dict[Stream, Path] = {stream: folder / f"{stream}.log" for stream in streams if stream is Stream.TRACE}
        by_hand = build(Wiring.terminal(tuple(streams)))
        where = "" if there is None else f"\n# It ran on {there.host.name}."
        (folder / "qemu.sh").write_text(
            f"#!/bin/sh\n# The same machine, with its console on this terminal.{where}\n{by_hand.shell()}\n"
        )
        with ExitStack() as theirs:  # QEMU's ends: closed here once it has them, so that its end is our end-of-file
            ends: dict[Stream, socket.socket] = {}
            for stream in streams:
                if stream not in files:
                    ours[stream], ends[stream] = _pair(stack, theirs)
            channel, monitor_end = _pair(stack, theirs)
            started_s = monotonic_s()
            process: AnyQemu
            stderr = folder / "qemu.stderr"
            if there is None:
                child_fds = {stream: end.fileno() for stream, end in ends.items()}
                command = build(Wiring.descriptors(child_fds, files, monitor_end.fileno()))
                inherited = [*fds, *child_fds.values(), monitor_end.fileno()]
                process = await stack.enter_async_context(start_process(command.argv, stderr, inherited))
            else:
                command = build(wiring_there(there.folder, streams))
                kept = theirs.pop_all()  # they are carried from here as long as QEMU runs, and closed with it
                stack.callback(kept.close)
                process = await stack.enter_async_context(
                    start_process_there(
                        there.host, command.argv, there.folder, stderr, monitor_end, ends, files, deadline
                    )
                )

        def now_s() -> float:
            return monotonic_s() - started_s

        # Unbuffered: what was said before a SIGKILL must be readable after it, and closing cannot fail.
        journal = Journal(stack.enter_context((folder / "qmp.jsonl").open("ab", buffering=0)))
        try:
            monitor = await stack.enter_async_context(connect_monitor(channel, now_s, journal.write, deadline))
        except HostError as error:
            status = await process.end(Deadline.after(1.0))
            if there is not None and status == -signal.SIGKILL and not isinstance(error.__cause__, TimeoutError):
                # It hung up, and nobody here has killed it: QEMU goes before the connection where a machine goes down.
                cause = "QEMU was killed there: the machine goes down, or is out of memory"
                raise HostLost(there.host.name, "starting QEMU", cause) from error
            raise LaunchError(by_hand.argv, describe_status(status), _tail(folder / "qemu.stderr")) from error
        consoles = {}
        for stream, end in ours.items():
            log = stack.enter_context((folder / f"{stream}.log").open("ab", buffering=0))
            consoles[stream] = Console(end, now_s, log)
        machine = VirtualMachine(process, monitor, consoles, journal, started_s)
        for stream, console in consoles.items():
            machine.followers.append(asyncio.create_task(console.follow(_saw_of(stream, saw))))
        stack.push_async_callback(_cancel, machine.followers)
        yield machine


def _pair(stack: AsyncExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, child = socket.socketpair()
    # A serial port sends byte by byte, and each costs the socket hundreds of bytes of its buffer: with the default, a
    # guest waits after some 280 bytes for a reader that is busy, and a QEMU that ends then takes the rest along.
    for option in (_SO_SNDBUFFORCE, socket.SO_SNDBUF):
        with suppress(PermissionError):
            child.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)
            break
    ours.setblocking(False)
    stack.callback(ours.close)
    theirs.callback(child.close)
    return ours, child


def _saw_of(stream: Stream, saw: Callable[[Stream, bytes], None] | None) -> Callable[[bytes], None] | None:
    return None if saw is None else lambda piece: saw(stream, piece)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise HarnessBug(f"a console follower failed: {result!r}") from result


def _tail(path: Path) -> str:
    return path.read_bytes()[-_STDERR_TAIL_BYTES:].decode(errors="replace")
