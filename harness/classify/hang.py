"""Tell hangs apart by what was seen from outside, because an encrypted guest's registers read as zero.

Each rule looks at one sort of evidence and answers, or has no opinion; the first answer counts. They are ordered by
what would mislead the next one: a host that gives no CPU makes every guest look idle, a QEMU that is stopped makes it
look halted, and a guest that only needs longer is not stuck at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.classify.hang_signs import Signs, repeats, signs_of
from harness.classify.hang_trace import live_lock, lost_wakeup, never_entered, vmpl_at_end
from harness.classify.kinds import HangKind, Sure
from harness.evidence.records import BootFacts

__all__ = ["Hang", "decide_hang"]

_TITLES = {
    HangKind.NEVER_STARTED: "never started",
    HangKind.FIRMWARE_STUCK: "firmware stuck",
    HangKind.SPIN: "spinning",
    HangKind.LIVE_LOCK: "live-lock between VMPLs",
    HangKind.LOST_WAKEUP: "idle with an interrupt pending",
    HangKind.AP_NEVER_UP: "AP never came up",
    HangKind.QEMU_BLOCKED: "blocked in QEMU",
    HangKind.HOST_STALLED: "host stalled",
    HangKind.SSH_DEAD: "alive, but SSH dead",
    HangKind.SLOW: "slow but moving",
    HangKind.HALTED: "halted for good",
    HangKind.IDLE: "idle, nothing pending",
    HangKind.UNKNOWN: "kind unknown",
}
# QEMU's RunState (qapi/run-state.json) of a guest that has not run yet, and of one that runs.
_BEFORE = frozenset({"prelaunch", "preconfig", "inmigrate"})
_RUNS = "running"
# A guest that was created and stopped at once has used some milliseconds for setting up its threads.
_NOTHING_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Hang:
    """Say what a guest that did not get on was doing.

    ``reasons`` are the observations that decided, with this boot's numbers. ``where`` is the VMPL of a spin, empty
    where it is not known.
    """

    kind: HangKind
    sure: Sure
    reasons: tuple[str, ...]
    where: str = ""

    @property
    def title(self) -> str:
        """Name it with words that are the same in every boot that hangs in this way."""
        return _TITLES[self.kind] + (f" in {self.where}" if self.where else "")

    def __str__(self) -> str:
        """Render for a person."""
        return f"{self.title} ({self.sure}: {'; '.join(self.reasons)})"


def decide_hang(facts: BootFacts) -> Hang:
    """Decide what the guest was doing when it was given up."""
    signs = signs_of(facts)
    for rule in _RULES:
        answer = rule(facts, signs)
        if answer is not None:
            return answer
    return Hang(HangKind.UNKNOWN, Sure.POSSIBLE, (_why_unknown(facts, signs),))


def _why_unknown(facts: BootFacts, signs: Signs | None) -> str:
    if facts.vitals is None:
        return "nothing was observed of QEMU when the guest was given up"
    if signs is None:
        return "the guest was looked at only once"
    return f"no rule fits: {signs.usage}"


def _stopped(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None:
        return None
    if signs.stopped and not signs.ran_between:
        return Hang(
            HangKind.QEMU_BLOCKED,
            Sure.CERTAIN,
            (f"QEMU's process was stopped by a signal in all {signs.close_looks} looks over {signs.close_s:.1f} s",),
        )
    blocked = [cpu for cpu in signs.cpus if cpu.blocked] if not signs.stopped else []
    if blocked:
        reasons = [f"the thread of vCPU {cpu.vcpu} was {cpu.blocked} in every look" for cpu in blocked]
        return Hang(HangKind.QEMU_BLOCKED, Sure.CERTAIN, tuple(reasons))
    return None


def _starved(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or not signs.starved:
        return None
    if signs.moving:
        return Hang(HangKind.SLOW, Sure.CERTAIN, (signs.starved, signs.moving))
    return Hang(HangKind.HOST_STALLED, signs.starved_sure, (signs.starved, signs.quiet))


def _not_run(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None:
        return None
    if signs.run_state in _BEFORE:
        reason = f"QEMU's run state is {signs.run_state}: it was never told to start the guest"
        return Hang(HangKind.NEVER_STARTED, Sure.CERTAIN, (reason,))
    little = signs.cpus and signs.all_used_ns < _NOTHING_NS and not signs.console_bytes
    if little and not signs.in_firmware:
        used = f"all vCPUs together have used {signs.all_used_ns / 1e6:.1f} ms of CPU time"
        reason = f"QEMU's run state is {signs.run_state or 'not known'}"
        # A guest that halts at its first instructions uses as little.
        sure = Sure.POSSIBLE if signs.run_state in (_RUNS, "") else Sure.CERTAIN
        return Hang(HangKind.NEVER_STARTED, sure, (used, "no console has said anything", reason))
    if signs.run_state not in ("", _RUNS):
        reason = f"QEMU has stopped the guest: its run state is {signs.run_state}"
        return Hang(HangKind.QEMU_BLOCKED, Sure.CERTAIN, (reason,))
    return None


def _silent_qemu(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or not signs.silence:
        return None
    return Hang(HangKind.QEMU_BLOCKED, Sure.LIKELY, (signs.silence, signs.main_thread))


def _slow(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or not signs.moving:
        return None
    return Hang(HangKind.SLOW, Sure.LIKELY, (signs.moving, signs.usage))


def _between_vmpls(facts: BootFacts, signs: Signs | None) -> Hang | None:
    found = live_lock(facts.trace)
    return None if found is None else Hang(HangKind.LIVE_LOCK, Sure.CERTAIN, (found, *_usage(signs)))


def _no_ap(facts: BootFacts, signs: Signs | None) -> Hang | None:
    found = never_entered(facts.trace)
    if found is not None:
        return Hang(HangKind.AP_NEVER_UP, Sure.CERTAIN, (found, *_usage(signs)))
    if signs is None or not signs.unborn:
        return None
    # Only a kernel that still waits for its APs: one that is past that has counted them.
    return Hang(HangKind.AP_NEVER_UP, Sure.LIKELY, (signs.unborn, signs.quiet))


def _firmware(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or signs.beyond_firmware:
        return None
    reasons = tuple(filter(None, (signs.firmware_said, signs.in_firmware, signs.usage)))
    if signs.in_firmware:
        sure = Sure.CERTAIN
    elif signs.payload:
        # A bare-metal payload that has not spoken yet looks the same.
        sure = Sure.POSSIBLE
    else:
        sure = Sure.LIKELY
    return Hang(HangKind.FIRMWARE_STUCK, sure, reasons)


def _halted(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or not signs.halted:
        return None
    return Hang(HangKind.HALTED, Sure.CERTAIN, (signs.halted, signs.usage))


def _pending(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or not signs.asleep:
        return None
    # Another vCPU may spin meanwhile: it waits for the one that was not woken.
    traced = lost_wakeup(facts.trace, signs.asleep)
    if traced is not None:
        return Hang(HangKind.LOST_WAKEUP, Sure.CERTAIN, (traced, signs.usage))
    if signs.pending and signs.idle:
        return Hang(HangKind.LOST_WAKEUP, Sure.LIKELY, (signs.pending, signs.usage))
    return None


def _spin(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None:
        return None
    busy = [cpu for cpu in signs.cpus if cpu.busy]
    if not busy:
        return None
    vmpls = {vmpl_at_end(facts.trace, cpu.vcpu) for cpu in busy}
    vmpl = vmpls.pop() if len(vmpls) == 1 else None
    where = "" if vmpl is None else f"VMPL{vmpl}"
    reasons = [f"vCPU {cpu.vcpu} used {cpu.share:.0%} of the CPU time that it could get" for cpu in busy]
    reasons += [signs.places] if signs.places else []
    reasons += ["the console repeats itself"] if repeats(facts.console) else []
    reasons += [f"the trace leaves it in {where}"] if where else []
    return Hang(HangKind.SPIN, Sure.LIKELY, (*reasons, signs.quiet), where)


def _asleep(facts: BootFacts, signs: Signs | None) -> Hang | None:
    if signs is None or not signs.idle:
        return None
    ready = any(mark.milestone == "ready" for mark in facts.marks)
    if ready and facts.ready_s is None and signs.alive:
        ssh = facts.gave_up_why or "SSH never answered"
        return Hang(HangKind.SSH_DEAD, Sure.LIKELY, ("the guest said that it is ready", signs.alive, ssh))
    sure = Sure.LIKELY if signs.alive else Sure.POSSIBLE
    alive = signs.alive or f"nothing woke a vCPU in {signs.close_s:.1f} s"
    return Hang(HangKind.IDLE, sure, (signs.usage, alive, signs.quiet))


def _usage(signs: Signs | None) -> tuple[str, ...]:
    return () if signs is None else (signs.usage,)


_RULES: tuple[Callable[[BootFacts, Signs | None], Hang | None], ...] = (
    _stopped,
    _starved,
    _not_run,
    _silent_qemu,
    _between_vmpls,
    _slow,
    _no_ap,
    _firmware,
    _halted,
    _pending,
    _spin,
    _asleep,
)
