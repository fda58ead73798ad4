"""Hold how a guest that came to no good end looked from outside, several times in a row.

Nothing here needs the guest's help: an encrypted guest's registers read as zero, but its vCPU threads still use CPU
time or do not, QEMU still answers or does not. Times are seconds since QEMU was started.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["CpuLook", "Look", "Pending", "ThreadLook", "Vitals", "look_script", "parse_process"]

# /proc/PID/stat: state is the first field behind the name, utime and stime are the 12th and 13th (proc(5)). A clock
# tick of user space is 10 ms on every x86 Linux (USER_HZ).
_TICK_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class ThreadLook:
    """Hold one thread of QEMU.

    ``vcpu`` is None for a thread that runs no vCPU. ``state`` is the kernel's letter (R runs or wants to, S sleeps, D
    waits for a device, T and t are stopped). ``cpu_ns`` is the CPU time used since the thread began, ``wait_ns`` the
    time that it was ready and got no CPU (None: this kernel does not count it, /proc/PID/schedstat).
    """

    tid: int
    vcpu: int | None
    state: str
    cpu_ns: int
    wait_ns: int | None


@dataclass(frozen=True, slots=True)
class CpuLook:
    """Hold what the human monitor says of one vCPU whose registers are real.

    ``place`` is the symbol, empty where none is known. ``user`` is CPL 3.
    """

    vcpu: int
    rip: int
    halted: bool
    interrupts_on: bool
    user: bool
    place: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Hold one look from outside.

    ``late_s`` is by how much the look came later than it was due: the harness itself got no CPU. ``run_state`` is
    QEMU's (``query-status``), None if QEMU did not answer. ``console_bytes`` counts what all consoles had said.
    ``stalled_us`` is the host's PSI total of tasks that waited for a CPU, None where it has none. ``cpus`` is empty
    where registers were not read or are not real.
    """

    at_s: float
    late_s: float
    run_state: str | None
    threads: tuple[ThreadLook, ...]
    console_bytes: int
    stalled_us: int | None = None
    cpus: tuple[CpuLook, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """Name the vectors that waited in the local APIC of a vCPU in the first look and still did in the last."""

    vcpu: int
    vectors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Vitals:
    """Hold the looks in the order of time; those from ``closely`` on are a fraction of a second apart.

    ``silence`` says which question QEMU did not answer, empty if it answered all. ``hidden`` says why there are no
    registers, empty where they are real. ``pending`` comes from QEMU's own view of the local APICs.
    """

    looks: tuple[Look, ...]
    closely: int = 0
    silence: str = ""
    hidden: str = ""
    pending: tuple[Pending, ...] = ()


def look_script(pid: int) -> str:
    """Return the POSIX shell script whose output :func:`parse_process` reads, for a QEMU of another machine."""
    return (
        f'cd /proc/{pid}/task && for t in *; do echo "@ $t"; cat $t/stat $t/schedstat 2>/dev/null; done; '
        "echo @psi; cat /proc/pressure/cpu 2>/dev/null; true"
    )


def parse_process(text: str, vcpu_of: Mapping[int, int]) -> tuple[tuple[ThreadLook, ...], int | None]:
    """Return the threads and the PSI total of what :func:`look_script` printed; ``vcpu_of`` maps thread to vCPU.

    A thread that ended while it was read is left out.
    """
    threads: list[ThreadLook] = []
    stalled_us: int | None = None
    for head, lines in _parts(text):
        if head == "psi":
            found = re.search(r"^some .*total=(\d+)", "\n".join(lines), re.MULTILINE)
            stalled_us = int(found[1]) if found else None
        elif head.isdecimal() and lines:
            thread = _thread(int(head), lines, vcpu_of)
            threads += [thread] if thread is not None else []
    return tuple(threads), stalled_us


def _parts(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^@ ?", text, flags=re.MULTILINE)[1:]:
        head, *lines = part.splitlines()
        yield head.strip(), lines


def _thread(tid: int, lines: Sequence[str], vcpu_of: Mapping[int, int]) -> ThreadLook | None:
    # The name is in brackets and may hold anything, brackets too.
    fields = lines[0].rpartition(")")[2].split()
    if len(fields) < 13:
        return None
    cpu_ns, wait_ns = (int(fields[11]) + int(fields[12])) * _TICK_NS, None
    if len(lines) > 1 and len(counted := lines[1].split()) == 3:
        cpu_ns, wait_ns = int(counted[0]), int(counted[1])
    return ThreadLook(tid, vcpu_of.get(tid), fields[0], cpu_ns, wait_ns)
