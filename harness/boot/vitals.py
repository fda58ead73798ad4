"""Look at a running QEMU from outside: its threads, its run state, what the human monitor says of its CPUs.

QEMU may be what hangs. So a question has little time, and after the first that got no answer none is asked any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.clock import Deadline, monotonic_s, poll
from harness.evidence.hmp import parse_irq_total, parse_lapic, parse_registers
from harness.evidence.vitals import CpuLook, Look, Pending, Vitals, look_script, parse_process
from harness.host.protocol import Host, HostLost
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost, QmpRefused

__all__ = ["Observer", "observe"]

# How long QEMU may take for one answer; a busy one takes some milliseconds.
_ANSWER_S = 0.7
# The close looks: one more than this, so far apart.
_LOOKS, _EVERY_S = 5, 0.22
# Of what was seen before, with a second between: enough to say when QEMU last answered.
_BEFORE = 10
_ENCRYPTED = "the guest is encrypted, so its registers read as zero"
# KVM's counters (QEMU query-stats, Linux Documentation/virt/kvm/api.rst KVM_GET_STATS_FD) that a live guest moves.
_COUNTERS = ("exits", "halt_exits", "irq_injections")
_PROC = Path("/proc")


@dataclass
class Observer:
    """Look at one QEMU, as often as wanted; ``silence`` says which question it did not answer.

    ``host`` is the other machine that it runs on, None: this one.
    """

    machine: VirtualMachine
    encrypted: bool
    kvm: bool
    host: Host | None = None
    silence: str = ""
    vcpu_of: dict[int, int] = field(default_factory=dict)

    async def look(self, late_s: float, deadline: Deadline, *, closely: bool = False) -> Look:
        """Look once; ``closely`` reads registers and counters as well. Never raises for what QEMU does."""
        at_s = self.machine.now_s()
        threads, stalled_us = parse_process(await self._process(deadline, closely=closely), self.vcpu_of)
        state = await self._run_state(deadline, closely=closely)
        if state is not None and not self.vcpu_of:
            await self._learn_threads(deadline)
            threads = tuple(replace(thread, vcpu=self.vcpu_of.get(thread.tid)) for thread in threads)
        said = sum(console.total_bytes for console in self.machine.consoles.values())
        look = Look(at_s, late_s, state, threads, said, stalled_us)
        if not closely:
            return look
        cpus = () if self.encrypted else await self._registers(deadline)
        return replace(look, cpus=cpus, counts=await self._counts(deadline))

    async def _process(self, deadline: Deadline, *, closely: bool) -> str:
        pid = self.machine.process.pid
        if self.host is None:
            return read_process(pid)
        # A script a second would itself be a load there; a closer look is for a guest that was given up.
        with suppress(HostLost, TimeoutError):
            return (await self.host.run(look_script(pid), deadline)).stdout.decode(errors="replace") if closely else ""
        return ""

    async def pending(self, deadline: Deadline) -> dict[int, tuple[int, ...]]:
        """Return the vectors that wait in each local APIC that QEMU shows, by vCPU."""
        waiting = {}
        for vcpu in sorted(self.vcpu_of.values()):
            text = await self.ask(f"info lapic {vcpu}", deadline)
            if text is not None and (vectors := parse_lapic(text)):
                waiting[vcpu] = vectors
        return waiting

    async def ask(self, line: str, deadline: Deadline) -> str | None:
        """Ask the human monitor; None if QEMU refuses or does not answer."""
        answer = await self._execute("human-monitor-command", {"command-line": line}, line, deadline)
        return answer if isinstance(answer, str) else None

    async def _execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None,
        called: str,
        deadline: Deadline,
        *,
        noted: bool = False,
    ) -> object:
        if self.silence:
            return None
        try:
            limit = deadline.within(_ANSWER_S)
            return await self.machine.monitor.execute(command, arguments, limit, noted=noted)
        except QmpRefused:
            return None
        except MonitorLost:
            self.silence = f"QEMU did not answer `{called}` in {_ANSWER_S} s"
            return None

    async def _run_state(self, deadline: Deadline, *, closely: bool) -> str | None:
        # That a guest was given up and looked at closely belongs into the journal; the look of every second does not.
        answer = await self._execute("query-status", None, "query-status", deadline, noted=closely)
        return str(answer["status"]) if isinstance(answer, dict) else None

    async def _learn_threads(self, deadline: Deadline) -> None:
        answer = await self._execute("query-cpus-fast", None, "query-cpus-fast", deadline)
        if isinstance(answer, list):
            self.vcpu_of = {int(cpu["thread-id"]): int(cpu["cpu-index"]) for cpu in answer}

    async def _registers(self, deadline: Deadline) -> tuple[CpuLook, ...]:
        text = await self.ask("info registers -a", deadline)
        return () if text is None else parse_registers(text)

    async def _counts(self, deadline: Deadline) -> dict[str, int]:
        counts: dict[str, int] = {}
        if self.kvm:
            wanted = {"target": "vcpu", "providers": [{"provider": "kvm", "names": list(_COUNTERS)}]}
            answer = await self._execute("query-stats", wanted, "query-stats", deadline)
            for one in answer if isinstance(answer, list) else []:
                for stat in one.get("stats", []):
                    if isinstance(stat.get("value"), int):
                        counts[stat["name"]] = counts.get(stat["name"], 0) + stat["value"]
        text = await self.ask("info irq", deadline)
        total = None if text is None else parse_irq_total(text)
        if total is not None:
            counts["interrupts of devices"] = total
        return counts


async def observe(observer: Observer, before: tuple[Look, ...], deadline: Deadline) -> Vitals:
    """Look several times in about a second, and return it with the looks ``before``."""
    observer.silence = ""  # it may have been busy a while ago and answer again
    looks: list[Look] = []
    first: dict[int, tuple[int, ...]] = {}
    due_s = monotonic_s()
    async for number in poll(deadline, _EVERY_S):
        looks.append(await observer.look(max(0.0, monotonic_s() - due_s), deadline, closely=True))
        if number == 0:
            first = await observer.pending(deadline)
        if number >= _LOOKS or deadline.expired:
            break
        due_s = monotonic_s() + _EVERY_S
    last = await observer.pending(deadline) if first else {}
    pending = tuple(
        Pending(vcpu, kept)
        for vcpu, vectors in first.items()
        if (kept := tuple(vector for vector in vectors if vector in last.get(vcpu, ())))
    )
    kept_before = before[-_BEFORE:]
    return Vitals(
        (*kept_before, *looks),
        len(kept_before),
        observer.silence,
        _ENCRYPTED if observer.encrypted else "",
        pending,
    )


def read_process(pid: int) -> str:
    """Return what :func:`~harness.evidence.vitals.look_script` prints, of a QEMU on this machine; empty: it ended."""
    parts = []
    try:
        for task in sorted((_PROC / str(pid) / "task").iterdir()):
            parts.append(f"@ {task.name}\n{_text(task / 'stat')}{_text(task / 'schedstat')}")
    except OSError:
        return ""
    return "".join([*parts, "@psi\n", _text(_PROC / "pressure/cpu")])


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # the thread ended, or this kernel has no such file
