"""Add up the looks at a guest that hangs: who used CPU time, who wanted to, what still grew, what waited.

A sentence that is empty says that there is no such sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from harness.classify.kinds import Sure
from harness.evidence.records import BootFacts, ConsoleText
from harness.evidence.vitals import CpuLook, Look, Vitals

__all__ = ["CpuSigns", "Signs", "repeats", "signs_of"]

# A vCPU that wants a CPU for this part of the time does not sleep; one that wants less than the other does.
_BUSY, _IDLE = 0.7, 0.3
# Who wants to run, and gets less than this part of what it wants, is starved: two busy programs a CPU still get half.
_STARVED = 0.12
# What QEMU's vCPUs may use until a stop has reached them all.
_BITE = 0.01
# How late the harness's own looks may come, together, as a part of the time over which they were taken.
_LATE = 0.5
# A guest that gets on says something several times within this time before its end; a hung one's stray line is one.
_MOVING_S = 3.0
_MOVING_TIMES = 3
_APART_S = 0.05
# An AP that waits for its start under TCG or KVM has used far less than this (measured: 1 ms).
_UNBORN_NS = 10_000_000
_MILESTONES_OF_FIRMWARE = frozenset({"firmware"})
# Where the BIOS is: below 1 MiB, and the ROM below 4 GiB.
_LOW, _ROM = 0x100000, range(0xFFC00000, 0x100000000)
_STOPPED = "Tt"
# Printed by the decompressor and by early consoles, before the banner or in its place.
_KERNEL_SPOKE = re.compile(rb"Decompressing Linux|early console in |Booting the kernel|\[ {0,4}\d{1,5}\.\d{6}\] ")
# Where a CPU begins (AMD APM volume 2, 14.1.5), as QEMU shows it: one that is still there has not run.
_RESET = 0xFFF0
# Grades (scenario.model.Platform) on which no firmware that talks comes before the payload.
_WITHOUT_FIRMWARE = frozenset({"model", "nocc"})
# The end of a console that says the same again and again.
_TAIL_BYTES, _LINES, _DIFFERENT = 4096, 8, 2
_STAMP = re.compile(rb"^\[[ \d.]{1,20}\] ")


@dataclass(frozen=True, slots=True)
class CpuSigns:
    """Add up one vCPU's thread: the CPU time that it used and that it waited for, as parts of the time.

    ``blocked`` says in words what held it in every look, empty if nothing did.
    """

    vcpu: int
    used: float
    waited: float
    all_ns: int
    blocked: str

    @property
    def wanted(self) -> float:
        """Return the part of the time in which it ran or was ready to."""
        return self.used + self.waited

    @property
    def share(self) -> float:
        """Return how much of what it wanted it got; 0 if it wanted nothing."""
        return self.used / self.wanted if self.wanted else 0.0

    @property
    def busy(self) -> bool:
        """Tell whether it never sleeps."""
        return self.wanted >= _BUSY


class Signs:
    """Derive what the rules ask for; each sign is worked out once."""

    def __init__(self, facts: BootFacts, vitals: Vitals, looks: tuple[Look, ...], close: tuple[Look, ...]) -> None:
        """Take the looks in order of time; ``close`` are those a fraction of a second apart."""
        self._facts = facts
        self._vitals = vitals
        self._looks = looks
        self._close = close

    @property
    def close_looks(self) -> int:
        """Return how many close looks there are."""
        return len(self._close)

    @cached_property
    def close_s(self) -> float:
        """Return over what time they were taken."""
        return self._close[-1].at_s - self._close[0].at_s

    @cached_property
    def cpus(self) -> tuple[CpuSigns, ...]:
        """Return the vCPUs' threads that were there in the first and in the last close look."""
        first = {thread.tid: thread for thread in self._close[0].threads}
        found = []
        for last in self._close[-1].threads:
            if last.vcpu is None or last.tid not in first:
                continue
            before = first[last.tid]
            waited = 0.0
            if last.wait_ns is not None and before.wait_ns is not None:
                waited = max(0, last.wait_ns - before.wait_ns) / 1e9 / self.close_s
            used = max(0, last.cpu_ns - before.cpu_ns) / 1e9 / self.close_s
            found.append(
                CpuSigns(last.vcpu, used, waited, last.cpu_ns, self._blocked(last.tid) if used < _BITE else "")
            )
        return tuple(sorted(found, key=lambda cpu: cpu.vcpu))

    def _states(self, tid: int) -> set[str]:
        return {thread.state for look in self._close for thread in look.threads if thread.tid == tid}

    def _blocked(self, tid: int) -> str:
        states = self._states(tid)
        if states <= set(_STOPPED):
            return "stopped"
        return "waiting for a device (state D)" if states == {"D"} else ""

    @cached_property
    def ran_between(self) -> bool:
        """Tell whether QEMU did anything between the close looks: used CPU time, or answered."""
        answered = any(look.run_state is not None for look in self._close[1:])
        # What a stop takes to bite is no use.
        return answered or sum(cpu.used for cpu in self.cpus) > _BITE

    @cached_property
    def all_used_ns(self) -> int:
        """Return the CPU time that all vCPUs have used since QEMU started."""
        return sum(cpu.all_ns for cpu in self.cpus)

    @cached_property
    def stopped(self) -> bool:
        """Tell whether every thread of QEMU was stopped in every close look."""
        threads = [thread for look in self._close for thread in look.threads]
        return bool(threads) and all(thread.state in _STOPPED for thread in threads)

    @cached_property
    def _stopped_looks(self) -> int:
        return sum(bool(look.threads) and all(t.state in _STOPPED for t in look.threads) for look in self._close)

    @cached_property
    def run_state(self) -> str:
        """Return QEMU's run state in the last look that it answered; empty if it answered none."""
        answered = [look.run_state for look in self._looks if look.run_state is not None]
        return answered[-1] if answered else ""

    @cached_property
    def silence(self) -> str:
        """Say what QEMU did not answer."""
        if not self._vitals.silence:
            return ""
        last = [look.at_s for look in self._looks if look.run_state is not None]
        return self._vitals.silence + (f"; it last answered at {last[-1]:.1f} s" if last else "; it never answered")

    @cached_property
    def main_thread(self) -> str:
        """Say what QEMU's own threads were doing."""
        states = sorted({t.state for look in self._close for t in look.threads if t.vcpu is None})
        return f"its own threads were in state {' and '.join(states) or '?'}"

    @cached_property
    def console_bytes(self) -> int:
        """Return how much all consoles had said."""
        return self._close[-1].console_bytes

    @cached_property
    def _last_growth_s(self) -> float:
        times = [growth.at_s for growth in self._facts.growth]
        return max(times, default=0.0)

    @cached_property
    def moving(self) -> str:
        """Say how the consoles grew of late."""
        if repeats(self._facts.console):
            return ""
        end_s = self._looks[-1].at_s
        recent: list[float] = []
        for chunk in sorted(self._facts.growth, key=lambda chunk: chunk.at_s):
            if end_s - _MOVING_S <= chunk.at_s <= end_s and (not recent or chunk.at_s - recent[-1] >= _APART_S):
                recent.append(chunk.at_s)
        if len(recent) < _MOVING_TIMES or end_s - recent[-1] > _MOVING_S / 2:
            return ""
        return f"a console grew {len(recent)} times in the last {_MOVING_S:.0f} s"

    @cached_property
    def quiet(self) -> str:
        """Say since when the consoles are silent."""
        if not self._facts.growth:
            return "no console has said anything"
        silent_s = max(0.0, self._looks[-1].at_s - self._last_growth_s)
        return f"the consoles have been silent for {silent_s:.1f} s"

    @cached_property
    def usage(self) -> str:
        """Say what each vCPU used."""
        if not self.cpus:
            return "no vCPU's thread was seen"
        shares = ", ".join(f"vCPU {cpu.vcpu} {cpu.used:.0%}" for cpu in self.cpus)
        return f"CPU use over {self.close_s:.1f} s: {shares}"

    @cached_property
    def starved(self) -> str:
        """Say how the host keeps QEMU from running."""
        if self._stopped_looks > 0 and self.ran_between:
            return f"QEMU's process was stopped in {self._stopped_looks} of {self.close_looks} looks and ran between"
        hungry = [cpu for cpu in self.cpus if cpu.wanted >= _IDLE and cpu.share < _STARVED]
        if hungry:
            worst = min(hungry, key=lambda cpu: cpu.share)
            return f"vCPU {worst.vcpu} got {worst.share:.1%} of the CPU time that it was ready for"
        late_s = sum(look.late_s for look in self._close)
        if late_s > _LATE * self.close_s:
            return f"the harness's own looks came {late_s:.1f} s late in {self.close_s:.1f} s"
        return ""

    @cached_property
    def starved_sure(self) -> Sure:
        """Say how sure that is: the kernel's own count of waiting is the definition."""
        return Sure.CERTAIN if self.starved.startswith("vCPU") else Sure.LIKELY

    @cached_property
    def idle(self) -> bool:
        """Tell whether every vCPU sleeps nearly always."""
        return bool(self.cpus) and all(cpu.wanted < _IDLE for cpu in self.cpus)

    @cached_property
    def asleep(self) -> tuple[int, ...]:
        """Return the vCPUs that sleep nearly always."""
        return tuple(cpu.vcpu for cpu in self.cpus if cpu.wanted < _IDLE)

    @cached_property
    def alive(self) -> str:
        """Say what shows that a vCPU is woken from time to time."""
        woken = [cpu for cpu in self.cpus if cpu.used > 0]
        if woken:
            used_ms = self.used_ns / 1e6
            return f"its vCPUs were woken and used {used_ms:.1f} ms in {self.close_s:.1f} s"
        first, last = self._close[0].counts, self._close[-1].counts
        for name, count in last.items():
            if count > first.get(name, count):
                return f"{name} went from {first[name]} to {count}"
        return ""

    @property
    def used_ns(self) -> float:
        """Return the CPU time of all vCPUs in the close looks, to the nanosecond."""
        return sum(cpu.used for cpu in self.cpus) * self.close_s * 1e9

    @cached_property
    def _registers(self) -> tuple[tuple[CpuLook, ...], ...]:
        return tuple(look.cpus for look in self._close if look.cpus)

    @cached_property
    def halted(self) -> str:
        """Say that every vCPU was halted with interrupts off whenever it was looked at."""
        if len(self._registers) < 2 or not all(c.halted and not c.interrupts_on for r in self._registers for c in r):
            return ""
        return f"every vCPU was in HLT with interrupts off in {len(self._registers)} looks"

    @cached_property
    def in_firmware(self) -> str:
        """Say that vCPU 0 was in the firmware's memory whenever it was looked at."""
        rips = [cpu.rip for cpus in self._registers for cpu in cpus if cpu.vcpu == 0]
        if not rips or not all(rip < _LOW or rip in _ROM for rip in rips) or set(rips) == {_RESET}:
            return ""
        return f"vCPU 0 was at {min(rips):#x} to {max(rips):#x}, the firmware's memory, in {len(rips)} looks"

    @cached_property
    def places(self) -> str:
        """Say where the vCPU that wants most was each time."""
        if not self._registers or not self.cpus:
            return ""
        busiest = max(self.cpus, key=lambda cpu: cpu.wanted).vcpu
        seen = [cpu for cpus in self._registers for cpu in cpus if cpu.vcpu == busiest]
        named = list(dict.fromkeys(cpu.place or f"{cpu.rip:#x}" for cpu in seen))
        modes = {"user space" if cpu.user else "the kernel" for cpu in seen}
        return f"vCPU {busiest} was in {' and '.join(sorted(modes))}, at {', '.join(named[:5])}"

    @cached_property
    def pending(self) -> str:
        """Say which vectors wait in QEMU's local APICs."""
        return "; ".join(
            f"vector {', '.join(f'{vector:#x}' for vector in one.vectors)} waits in the local APIC of vCPU {one.vcpu}"
            for one in self._vitals.pending
        )

    @cached_property
    def beyond_firmware(self) -> bool:
        """Tell whether anything behind the firmware has spoken: a milestone, or a word on the console."""
        facts = self._facts
        if {mark.milestone for mark in facts.marks} - _MILESTONES_OF_FIRMWARE:
            return True
        # A payload's console is its own; a firmware may use a Linux guest's too.
        return bool(facts.console) if self.payload else _KERNEL_SPOKE.search(facts.console) is not None

    @cached_property
    def payload(self) -> bool:
        """Tell whether the guest is a bare-metal payload."""
        facts = self._facts
        return facts.debug_exit or facts.report is not None or facts.platform in _WITHOUT_FIRMWARE

    @cached_property
    def firmware_said(self) -> str:
        """Say how far the firmware came."""
        if any(mark.milestone in _MILESTONES_OF_FIRMWARE for mark in self._facts.marks):
            return "the firmware said its name, and nothing behind it a word"
        return "neither the firmware nor anything behind it said a word"

    @cached_property
    def unborn(self) -> str:
        """Say which APs have never run while the kernel waits for them."""
        reached = {mark.milestone for mark in self._facts.marks}
        if "kernel" not in reached or reached & {"init", "ready"}:
            return ""
        never = [cpu for cpu in self.cpus if cpu.vcpu > 0 and cpu.all_ns < _UNBORN_NS]
        names = ", ".join(f"vCPU {cpu.vcpu} ({cpu.all_ns / 1e6:.1f} ms)" for cpu in never)
        return f"the kernel runs, and these have used no CPU time since the start: {names}" if never else ""


def repeats(console: ConsoleText) -> bool:
    """Tell whether the end of a console is one or two lines again and again, or one line without an end."""
    tail = console[max(0, len(console) - _TAIL_BYTES) :]
    lines = [_STAMP.sub(b"", line.strip(b"\r")) for line in tail.split(b"\n")][1:-1]
    if len(lines) < _LINES:
        return len(tail) == _TAIL_BYTES and len(set(tail)) <= _DIFFERENT
    return len(set(lines)) <= _DIFFERENT


def signs_of(facts: BootFacts) -> Signs | None:
    """Add up the looks; None if there are fewer than two close ones, with time between them.

    A look that lies before the one that it followed is left out: a clock jumped, and nothing can be added up over that.
    """
    if facts.vitals is None:
        return None
    looks: list[Look] = []
    close: list[Look] = []
    for number, look in enumerate(facts.vitals.looks):
        if looks and look.at_s <= looks[-1].at_s:
            continue
        looks.append(look)
        if number >= facts.vitals.closely:
            close.append(look)
    if len(close) < 2:
        return None
    return Signs(facts, facts.vitals, tuple(looks), tuple(close))
