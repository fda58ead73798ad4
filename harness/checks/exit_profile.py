"""``exit_profile``: why the guest left to its host, how often, and that every entry has its exit.

The table of reasons stands in the sentence of every verdict, also of a PASS, so that recorded runs can be compared by
eye. The words are the kernel's, and differ between AMD (``hlt``) and Intel (``HLT``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.steps import StepIndex
from harness.evidence.trace import TraceFacts
from harness.evidence.trace_events import KvmEntry, KvmExit

__all__ = ["ExitProfileCheck"]

_Counts = Mapping[str, int]
# Reasons that the sentence names; the rest is added up.
_NAMED = 12


class ExitProfileCheck(Check):
    """Expect the exits of the guest by their reasons."""

    key: ClassVar[str] = "exit_profile"
    rests_on: ClassVar[frozenset[str]] = frozenset({"trace"})
    during: str | None = Field(default=None, description="Only within this step, as the trace marks it. Left out: all.")
    at_least: _Counts = Field(
        default={},
        description="These reasons came so often or more; total is all of them.",
        examples=[{"hlt": 1, "total": 100}],
    )
    at_most: _Counts = Field(
        default={},
        description="These reasons came so often or less; total is all of them.",
        examples=[{"shutdown": 0, "total": 1000000}],
    )

    def trace_events(self) -> frozenset[str]:
        """Ask for exits and entries; and for hypercalls, by which a payload marks its steps."""
        return frozenset({"kvm:kvm_entry", "kvm:kvm_exit"} | ({"kvm:kvm_hypercall"} if self.during else set()))

    def kept_events(self) -> frozenset[str]:
        """Ask for the records of exits and entries."""
        return frozenset({"kvm_entry", "kvm_exit"})

    def find(self, evidence: Evidence) -> Verdict:
        """Add up the reasons, compare, and look whether entries and exits go together."""
        trace = evidence.facts.trace
        if trace is None:
            return self.unknown("this boot has no trace")
        if not trace.integrity.complete:
            return self.unknown(f"the trace is not whole: {trace.integrity.reasons[0]}")
        if trace.kept is None:
            return self.unknown(trace.reasons[0])
        windows = [window for window in trace.windows if window.step == self.during]
        if self.during is not None and not windows:
            known = ", ".join(sorted({window.step for window in trace.windows})) or "none"
            return self.unknown(f"the trace has no step {self.during!r}; it has {known}")
        if any(window.end is None for window in windows):
            return self.unknown(f"the step {self.during!r} began and never ended")
        return self._judge(trace, evidence.facts.vcpus)

    def _judge(self, trace: TraceFacts, vcpus: int) -> Verdict:
        index = StepIndex(trace.windows)
        reasons: Counter[str] = Counter()
        exits: Counter[int] = Counter()
        entries: Counter[int] = Counter()
        for record in trace.kept or ():
            if self.during is not None and index.step_at(record.at, record.line) != self.during:
                continue
            if isinstance(record.fields, KvmExit):
                reasons[record.fields.reason] += 1
                exits[record.fields.vcpu] += 1
            elif isinstance(record.fields, KvmEntry):
                entries[record.fields.vcpu] += 1
        said = _table(reasons, exits)
        if not exits:
            return self.failed(f"{said}: a guest under KVM has exits")
        counts = {**reasons, "total": reasons.total()}
        for reason, least in self.at_least.items():
            if counts.get(reason, 0) < least:
                return self.failed(f"{said}; {reason}: {counts.get(reason, 0)}, expected at least {least}")
        for reason, most in self.at_most.items():
            if counts.get(reason, 0) > most:
                return self.failed(f"{said}; {reason}: {counts.get(reason, 0)}, expected at most {most}")
        for vcpu in range(vcpus):
            # A vCPU enters and leaves in turn: at either edge of what is looked at, one of a pair may be missing.
            if abs(entries[vcpu] - exits[vcpu]) > 1:
                return self.failed(f"{said}; vCPU {vcpu} entered {entries[vcpu]} times and left {exits[vcpu]} times")
        return self.passed(said)


def _table(reasons: Counter[str], exits: Counter[int]) -> str:
    common = reasons.most_common(_NAMED)
    parts = [f"{reason} {count}" for reason, count in common]
    rest = reasons.total() - sum(count for _, count in common)
    parts += [f"others {rest}"] if rest else []
    by_vcpu = ", ".join(f"vCPU {vcpu}: {count}" for vcpu, count in sorted(exits.items())) or "none"
    return f"{reasons.total()} exits ({by_vcpu}): {', '.join(parts) or 'none'}"
