"""Decide how a boot ended, from everything that was observed, and give it a signature.

A signature names the same fault with the same words in every boot: no addresses, times, process ids or CPU numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.classify.console import CrashReport, find_crash
from harness.evidence.records import BootFacts, QmpEvent
from harness.evidence.startup import Phase, phases

__all__ = ["Outcome", "OutcomeKind", "decide_outcome"]


class OutcomeKind(StrEnum):
    """Name the ways in which a boot ends."""

    READY = "ready"
    GUEST_SHUTDOWN = "guest-shutdown"
    GUEST_RESET = "guest-reset"
    SVSM_PANIC = "svsm-panic"
    GUEST_PANIC = "guest-panic"
    GUEST_OOPS = "guest-oops"
    PAYLOAD_ENDED = "payload-ended"
    HANG = "hang"
    NO_OUTPUT = "no-output"
    QEMU_CRASH = "qemu-crash"
    QEMU_EXIT = "qemu-exit"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Say how a boot ended.

    ``signature`` is stable across boots. ``detail`` is one sentence for a person, with this boot's own numbers.
    ``phase`` is the last milestone that was reached, ``start`` if none was.
    """

    kind: OutcomeKind
    signature: str
    detail: str
    phase: str


def decide_outcome(facts: BootFacts) -> Outcome:
    """Decide from the facts of one boot.

    The order is that of trust: what QEMU's death or the guest's own panic text proves stands above what can only be
    inferred from silence.
    """
    reached = phases(facts.marks)
    phase = reached[-1].name if reached else "start"
    crash = find_crash(facts.console)
    end = facts.qemu_end
    if end is not None and not end.asked and end.status < 0:
        return _outcome(OutcomeKind.QEMU_CRASH, f"signal {-end.status}", _qemu_said(facts, end.status), phase)
    if crash is not None and crash.fatal:
        return _crashed(OutcomeKind.SVSM_PANIC if crash.svsm else OutcomeKind.GUEST_PANIC, crash, phase)
    if end is not None and not end.asked:
        # isa-debug-exit ends QEMU with (value << 1) | 1 (QEMU hw/misc/debugexit.c), and says nothing; QEMU's own
        # failures end with 1 as well, but say why.
        ended_by_guest = facts.debug_exit and end.status & 1 and not facts.stderr.strip()
        kind = OutcomeKind.PAYLOAD_ENDED if ended_by_guest else OutcomeKind.QEMU_EXIT
        return _outcome(kind, f"status {end.status}", _qemu_said(facts, end.status), phase)
    shutdown = _guest_shutdown(facts.events)
    if shutdown is not None:
        reason, at_s = shutdown
        kind = OutcomeKind.GUEST_RESET if reason == "guest-reset" else OutcomeKind.GUEST_SHUTDOWN
        return _outcome(kind, f"{reason} in {phase}", f"the guest asked for {reason} {at_s:.1f} s after start", phase)
    if crash is not None:
        return _crashed(OutcomeKind.GUEST_OOPS, crash, phase)
    if facts.ready_s is None:
        if facts.gave_up_s is None:
            return _outcome(OutcomeKind.LOST, "lost", "the record says neither ready nor why not", phase)
        return _hung(facts, reached, facts.gave_up_s)
    return _outcome(OutcomeKind.READY, "ready", f"ready after {facts.ready_s:.1f} s", phase)


def _outcome(kind: OutcomeKind, signature: str, detail: str, phase: str) -> Outcome:
    return Outcome(kind, signature if signature.startswith(kind) else f"{kind}: {signature}", detail, phase)


def _crashed(kind: OutcomeKind, crash: CrashReport, phase: str) -> Outcome:
    return _outcome(kind, crash.signature, crash.line, phase)


def _qemu_said(facts: BootFacts, status: int) -> str:
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    said = facts.stderr.strip().splitlines()
    return f"QEMU ended by itself with {how}" + (f": {said[-1]}" if said else "")


def _guest_shutdown(events: tuple[QmpEvent, ...]) -> tuple[str, float] | None:
    # QMP SHUTDOWN carries reason (qapi/run-state.json ShutdownCause); host-… are ours, guest-… are the guest's.
    for event in events:
        if event.name == "SHUTDOWN" and (reason := event.text("reason")) is not None and reason.startswith("guest-"):
            return reason, event.at_s
    return None


def _hung(facts: BootFacts, reached: tuple[Phase, ...], gave_up_s: float) -> Outcome:
    phase, since_s = (reached[-1].name, reached[-1].end_s) if reached else ("start", 0.0)
    if not reached and not facts.console:
        detail = f"nothing was printed in {gave_up_s:.1f} s"
        return _outcome(OutcomeKind.NO_OUTPUT, "no-output", detail, phase)
    detail = f"not ready after {gave_up_s:.1f} s; the last milestone, {phase}, was at {since_s:.1f} s"
    return _outcome(OutcomeKind.HANG, f"after {phase}", detail, phase)
