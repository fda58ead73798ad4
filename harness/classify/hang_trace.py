"""Find in a trace what a guest that hangs was doing: the trace is the host's, so encryption hides nothing of it."""

from __future__ import annotations

from collections.abc import Collection

from harness.evidence.irq import Fate
from harness.evidence.trace import TraceFacts
from harness.evidence.vmpl import Outcome

__all__ = ["live_lock", "lost_wakeup", "never_entered", "vmpl_at_end"]

# What belongs to the end: the last part of the vCPU's time in the trace.
_TAIL = 0.2


def live_lock(trace: TraceFacts | None) -> str | None:
    """Say which vCPU asks or switches for ever; None if none does."""
    if trace is None or trace.switches is None:
        return None
    ends = {span.vcpu: span for span in trace.switches.vcpus}
    for lock in trace.switches.live_locks:
        span = ends.get(lock.vcpu)
        if span is None or lock.last_at >= span.last_at - _TAIL * (span.last_at - span.first_at):
            errors = f", refused with {', '.join(map(str, lock.errors))}" if lock.errors else ""
            return f"vCPU {lock.vcpu} asked {lock.count} times in a row to run VMPL{lock.to_vmpl}{errors}"
    return None


def never_entered(trace: TraceFacts | None) -> str | None:
    """Say which vCPU was created at a VMPL and never ran there; None if all did."""
    if trace is None or trace.switches is None:
        return None
    for start in trace.switches.ap_starts:
        later = [other for other in trace.switches.ap_starts if other.apic_id == start.apic_id and other.at > start.at]
        if start.entered_at is None and not later:
            return f"the vCPU with APIC id {start.apic_id} was created at VMPL{start.vmpl} and never entered"
    return None


def lost_wakeup(trace: TraceFacts | None, asleep: Collection[int]) -> str | None:
    """Say which interrupt of a vCPU that sleeps (``asleep``) was never delivered; None if all were."""
    if trace is None or trace.irqs is None:
        return None
    # One that runs may hold an interrupt back by itself.
    waiting = [accept for accept in trace.irqs.accepts if accept.fate is Fate.PENDING and accept.vcpu in asleep]
    if waiting:
        last = waiting[-1]
        return f"the {last.source} vector {last.vector:#x} was accepted by vCPU {last.vcpu} and never delivered"
    lost = [raised for raised in trace.irqs.raises if raised.lost and raised.destination in (None, *asleep)]
    if lost:
        return f"the {lost[-1].source} vector {lost[-1].vector:#x} was raised and no local APIC accepted it"
    return None


def vmpl_at_end(trace: TraceFacts | None, vcpu: int) -> int | None:
    """Return the VMPL that the vCPU ran last; None if the trace does not show it."""
    if trace is None or trace.switches is None:
        return None
    requests = trace.switches.select_requests(vcpu=vcpu)
    if requests and requests[-1].outcome is Outcome.OPEN:
        # Not refused, and the caller has not run since: where no event shows the switch, this is all that shows it.
        return requests[-1].to_vmpl
    return next((span.vmpl for span in trace.switches.vcpus if span.vcpu == vcpu), None)
