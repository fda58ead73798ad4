"""Find in a trace what a guest that hangs was doing: the trace is the host's, so encryption hides nothing of it."""

from __future__ import annotations

from harness.evidence.irq import Fate
from harness.evidence.trace import TraceFacts

__all__ = ["live_lock", "lost_wakeup", "never_entered", "vmpl_at_end"]

# So often a request is repeated, or a switch made, within the end of the trace that nothing else goes on.
_PING_PONG = 200
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


def lost_wakeup(trace: TraceFacts | None) -> str | None:
    """Say which interrupt was never delivered; None if all were."""
    if trace is None or trace.irqs is None:
        return None
    waiting = [accept for accept in trace.irqs.accepts if accept.fate is Fate.PENDING]
    if waiting:
        last = waiting[-1]
        return f"the {last.source} vector {last.vector:#x} was accepted by vCPU {last.vcpu} and never delivered"
    lost = [raised for raised in trace.irqs.raises if raised.lost]
    if lost:
        return f"the {lost[-1].source} vector {lost[-1].vector:#x} was raised and no local APIC accepted it"
    return None


def vmpl_at_end(trace: TraceFacts | None, vcpu: int) -> int | None:
    """Return the VMPL that the vCPU ran last; None if the trace does not show it."""
    if trace is None or trace.switches is None:
        return None
    return next((span.vmpl for span in trace.switches.vcpus if span.vcpu == vcpu), None)
