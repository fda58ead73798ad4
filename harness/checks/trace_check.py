"""Define what all checks over a trace share: none rests on a trace that is missing, cut or of an unknown flavour."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.probe_marks import PROBE_MARK
from harness.evidence.trace import EVENTS, TraceFacts

__all__ = ["DirectedCheck", "TraceCheck"]


class TraceCheck(Check):
    """Be a check over the trace."""

    rests_on: ClassVar[frozenset[str]] = frozenset({"trace"})
    during: str | None = Field(default=None, description="Only within this step, as the trace marks it. Left out: all.")

    def trace_events(self) -> frozenset[str]:
        """Ask for all events that switches and interrupts are derived from; they belong together."""
        return frozenset(f"kvm:{event}" for event in EVENTS if event.startswith("kvm_") and event != PROBE_MARK)

    def find(self, evidence: Evidence) -> Verdict:
        """Judge the trace if it is whole; else answer INCONCLUSIVE with what is missing."""
        trace = evidence.facts.trace
        if trace is None:
            return self.unknown("this boot has no trace")
        if not trace.integrity.by_name:  # a header alone is a trace that was cut behind it
            return self.unknown("the trace is empty")
        if not trace.integrity.complete:
            return self.unknown(f"the trace is not whole: {trace.integrity.reasons[0]}")
        if trace.flavour is None or trace.switches is None or trace.irqs is None:
            return self.unknown("; ".join(trace.reasons) or "the KVM flavour is unknown")
        steps = {window.step for window in trace.switches.windows}
        if self.during is not None and self.during not in steps:
            known = ", ".join(sorted(steps)) or "none"
            return self.unknown(f"the trace has no step {self.during!r}; it has {known}")
        if any(window.step == self.during and window.end is None for window in trace.switches.windows):
            # What is missing may only not have happened yet; how the boot ended is the outcome's to judge.
            return self.unknown(f"the step {self.during!r} began and never ended")
        return self.find_in(trace, evidence)

    def find_in(self, trace: TraceFacts, evidence: Evidence) -> Verdict:
        """Judge a trace that is whole and understood; overridden by each check."""
        raise NotImplementedError


class DirectedCheck(TraceCheck):
    """Be a check over the switches of one direction, or of all."""

    from_vmpl: int | None = Field(
        default=None,
        validation_alias="from",
        serialization_alias="from",
        ge=0,
        le=3,
        description="Only from this VMPL.",
    )
    to_vmpl: int | None = Field(
        default=None, validation_alias="to", serialization_alias="to", ge=0, le=3, description="To this VMPL."
    )
