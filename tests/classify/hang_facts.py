"""Make the facts of a guest that was given up, and spoil one part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sample_facts import GOOD

from harness.evidence.records import BootFacts, Chunk, Mark
from harness.evidence.vitals import CpuLook, Look, ThreadLook, Vitals

KERNEL = (Mark("firmware", 0.1), Mark("kernel", 0.6))
INIT = (*KERNEL, Mark("init", 2.5))
READY = (*INIT, Mark("ready", 4.0))
MAIN, FIRST = 100, 101


def cpu(
    rip: int = 0xFFFFFFFF81000000, *, vcpu: int = 0, halted: bool = False, on: bool = True, user: bool = False
) -> CpuLook:
    """Be at an address of the kernel."""
    return CpuLook(vcpu, rip, halted, on, user)


def looks(
    used: Sequence[float] = (0.0,),
    waited: Sequence[float] | None = None,
    *,
    run_state: str | None = "running",
    states: Sequence[str] = ("S",),
    late_s: float = 0.0,
    cpus: Sequence[CpuLook] = (),
    before_s: float = 5.0,
    main: str = "S",
    console_bytes: int = 100,
) -> tuple[Look, ...]:
    """Take six looks from 50 s on; ``used`` and ``waited`` are parts of the time, by vCPU."""
    waited = [0.0] * len(used) if waited is None else waited
    result = []
    for number in range(6):
        at_s = 50.0 + number * 0.2
        threads = [ThreadLook(MAIN, None, states[number % len(states)] if main == "as vCPU" else main, 10**9, 0)]
        for vcpu, (part, hungry) in enumerate(zip(used, waited, strict=True)):
            ran = int((before_s + part * number * 0.2) * 1e9)
            ready = int(hungry * number * 0.2 * 1e9)
            threads.append(ThreadLook(FIRST + vcpu, vcpu, states[number % len(states)], ran, ready))
        result.append(Look(at_s, late_s, run_state, tuple(threads), console_bytes, None, tuple(cpus)))
    return tuple(result)


def hung(taken: tuple[Look, ...] | None = None, *, grown_s: Sequence[float] = (0.1, 2.5), **changes: Any) -> BootFacts:
    """Return a boot that reached init and was given up at 50 s."""
    vitals = None if taken is None else Vitals(taken)
    facts: dict[str, Any] = {
        "marks": INIT,
        "ready_s": None,
        "gave_up_s": 50.0,
        "console": b"[    0.000000] Linux version 6.12\r\nsvsm-harness: init\r\n",
        "vitals": vitals,
        "growth": tuple(Chunk(10 * (n + 1), at_s) for n, at_s in enumerate(grown_s)),
    }
    return replace(GOOD, **(facts | changes))
