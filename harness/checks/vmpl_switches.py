"""``vmpl_switches``: how many switches between VMPLs were requested, refused and completed, and that they add up.

Two witnesses: where the guest reports how many SVSM calls it made and how many were answered, its numbers are
confronted with the host-side trace, and a disagreement names both.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.checks.base import Evidence, Place, Verdict
from harness.checks.trace_check import DirectedCheck
from harness.evidence.trace import TraceFacts
from harness.evidence.vmpl import Cause, Outcome, SwitchFacts
from harness.scenario.base import Model

__all__ = ["PerCall", "VmplSwitchesCheck"]


class PerCall(Model):
    """Expect switches in proportion to what the guest says it did."""

    made: int = Field(default=1, ge=0, description="Switches for each SVSM call that the guest made.")
    extra: int = Field(default=0, ge=0, description="Exactly this many more, whatever the calls.")


class VmplSwitchesCheck(DirectedCheck):
    """Expect how often a vCPU changed its VMPL."""

    key: ClassVar[str] = "vmpl_switches"
    vcpu: int | None = Field(default=None, ge=0, description="Only on this vCPU.")
    each_vcpu: int | None = Field(default=None, ge=0, description="Exactly this many on every vCPU.")
    cause: Cause | None = Field(default=None, strict=False, description="Only switches with this cause.")
    of: Literal["completed", "requested", "refused"] = Field(
        default="completed", description="completed switches, requests made, or requests refused."
    )
    count: int | None = Field(default=None, ge=0, description="Exactly this many.")
    at_least: int | None = Field(default=None, ge=0, description="This many or more.")
    at_most: int | None = Field(default=None, ge=0, description="This many or fewer.")
    per_second: float | None = Field(
        default=None, ge=0, strict=False, description="At most this many in a second, over the step or the whole trace."
    )
    per_call: PerCall | None = Field(default=None, description="In proportion to the calls that the guest reports.")
    idle: str | None = Field(
        default=None,
        description="A step in which the guest does nothing: what switches there by itself may come, at that rate, on "
        "top of count. Without such noise, count is exact.",
    )
    balanced: bool = Field(default=False, description="At the end every vCPU is where it was: as many down as up.")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        limits = (self.count, self.at_least, self.at_most, self.per_second, self.each_vcpu, self.per_call)
        if all(limit is None for limit in limits) and not self.balanced:
            raise ValueError(
                "vmpl_switches needs count, at_least, at_most, each_vcpu, per_second, per_call or balanced: "
                "as it stands, any number would pass"
            )
        if self.idle is not None and (self.count is None or self.during is None):
            raise ValueError("idle says what may come on top of count, during a step; give count and during")
        if self.cause is not None and self.of != "completed":
            raise ValueError("cause is known of completed switches only; leave out one of cause and of")
        return self

    def find(self, evidence: Evidence) -> Verdict:
        """Judge the trace; a live-lock that is seen is proven, also where the trace has no end because of it."""
        trace = evidence.facts.trace
        if trace is not None and trace.switches is not None and trace.switches.live_locks:
            lock = trace.switches.live_locks[0]
            return self.failed(_live_lock(trace.switches), Place(lock.first_at, lock.vcpu))
        return super().find(evidence)

    def find_in(self, trace: TraceFacts, evidence: Evidence) -> Verdict:
        """Count, compare, and confront with the guest's own numbers."""
        switches = trace.switches
        assert switches is not None  # TraceCheck.find
        seen = self._seen(switches, self.vcpu)
        how = " (inferred: this flavour prints no switch)" if switches.inferred and self.of == "completed" else ""
        said = f"{self._what()}: {seen}{how}"
        spare = 0
        if self.idle is not None:
            noise = self._noise(switches, self.idle)
            if noise is None:
                return self.unknown(f"{said}; the trace has no whole step {self.idle!r} to tell the noise by")
            spare, how = noise
            said += how
        for wrong in (
            self._limits(seen, spare),
            self._on_each(switches, evidence.facts.vcpus),
            self._rate(seen, trace),
        ):
            if wrong is not None:
                return self.failed(f"{said}, {wrong}", _first_odd(switches, self.during))
        if self.per_call is not None:
            return self._confront(seen, said, evidence)
        if self.balanced:
            for vcpu in range(evidence.facts.vcpus):
                balance = switches.balance(vcpu)
                # The first switch of a vCPU leads up from VMPL0, where it starts; the guest is where it then stays.
                if balance not in (0, -1):
                    return self.failed(f"{said}, vCPU {vcpu} switched to VMPL0 {balance:+d} times more than back")
        return self.passed(said)

    def _seen(self, switches: SwitchFacts, vcpu: int | None, step: str | None = None) -> int:
        step = step or self.during
        if self.cause is not None:
            return len(
                switches.select(vcpu=vcpu, from_vmpl=self.from_vmpl, to_vmpl=self.to_vmpl, cause=self.cause, step=step)
            )
        numbers = switches.numbers(vcpu=vcpu, from_vmpl=self.from_vmpl, to_vmpl=self.to_vmpl, step=step)
        return {"completed": numbers.completed, "requested": numbers.requested, "refused": numbers.refused}[self.of]

    def _what(self) -> str:
        direction = f"{_vmpl(self.from_vmpl)} to {_vmpl(self.to_vmpl)}"
        where = "" if self.vcpu is None else f" on vCPU {self.vcpu}"
        why = "" if self.cause is None else f", {self.cause}"
        return f"{self.of} switches {direction}{where}{why}"

    # How many switches of its own making the guest may add during the step, and a clause that says why. None: the idle
    # step is not in the trace. As of any count of independent events, four standard deviations cover the chance.
    def _noise(self, switches: SwitchFacts, idle: str) -> tuple[int, str] | None:
        if not any(window.step == idle and window.end is not None for window in switches.windows):
            return None
        alone, span_s = self._seen(switches, self.vcpu, idle), _span_s(switches, idle)
        share = alone * _span_s(switches, self.during) / span_s if span_s > 0 else 0.0
        spare = math.ceil(share + 4 * math.sqrt(share)) if alone else 0
        return spare, f"; idle, {alone} in {span_s:.1f} s, so up to {spare} may be its own"

    def _limits(self, seen: int, spare: int = 0) -> str | None:
        if self.count is not None and not self.count <= seen <= self.count + spare:
            return f"expected {self.count} ({seen - self.count:+d})"
        if self.at_least is not None and seen < self.at_least:
            return f"expected at least {self.at_least}"
        if self.at_most is not None and seen > self.at_most:
            return f"expected at most {self.at_most}"
        return None

    def _on_each(self, switches: SwitchFacts, vcpus: int) -> str | None:
        if self.each_vcpu is None:
            return None
        for vcpu in range(vcpus):
            seen = self._seen(switches, vcpu)
            if seen != self.each_vcpu:
                return f"expected {self.each_vcpu} on each vCPU: vCPU {vcpu} has {seen} ({seen - self.each_vcpu:+d})"
        return None

    def _rate(self, seen: int, trace: TraceFacts) -> str | None:
        if self.per_second is None or trace.switches is None:
            return None
        span_s = _span_s(trace.switches, self.during)
        if span_s <= 0:
            return "expected a rate, and the trace has no time"
        rate = seen / span_s
        return None if rate <= self.per_second else f"{rate:.1f} a second, expected at most {self.per_second:g}"

    def _confront(self, seen: int, said: str, evidence: Evidence) -> Verdict:
        assert self.per_call is not None
        report = evidence.facts.report
        if report is None or not report.complete:
            return self.unknown(f"{said}; the guest does not report its calls")
        results = [r for r in report.subresults if self.during is None or r.name[-1] == self.during]
        figures = [f for r in results for f in r.figures if f.label == "calls"]
        figures = [f for f in figures if self.vcpu is None or f.get("cpu") == self.vcpu]
        made = sum(int(f.get("made") or 0) for f in figures)
        answered = sum(int(f.get("answered") or 0) for f in figures)
        wanted = made * self.per_call.made + self.per_call.extra
        said = f"{said}; the guest made {made} calls and saw {answered} answered"
        if seen != wanted:
            return self.failed(f"{said}: expected {wanted} switches ({seen - wanted:+d})")
        return self.found(made == answered, said if made == answered else f"{said}: {made - answered} unanswered")


def _first_odd(switches: SwitchFacts, step: str | None) -> Place | None:
    # The first request that led to no switch, or switch that nobody asked for.
    odd = [(r.at, r.vcpu) for r in switches.select_requests(step=step) if r.outcome is not Outcome.COMPLETED]
    odd += [(s.at, s.vcpu) for s in switches.select(step=step) if s.requested_at is None]
    return Place(*min(odd)) if odd else None


def _vmpl(vmpl: int | None) -> str:
    return "any VMPL" if vmpl is None else f"VMPL{vmpl}"


def _live_lock(switches: SwitchFacts) -> str:
    lock = switches.live_locks[0]
    errors = ", ".join(f"{error:#x}" for error in lock.errors) or "none given"
    return (
        f"live-lock: vCPU {lock.vcpu} asked {lock.count} times in vain for VMPL{lock.to_vmpl} "
        f"from line {lock.first_line} (errors: {errors})"
    )


def _span_s(switches: SwitchFacts, step: str | None) -> float:
    if step is None:
        begin = min((span.first_at for span in switches.vcpus), default=0)
        end = max((span.last_at for span in switches.vcpus), default=0)
        return (end - begin) / 1e9
    return sum((w.duration_ns or 0) for w in switches.windows if w.step == step) / 1e9
