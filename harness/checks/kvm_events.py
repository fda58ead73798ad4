"""``kvm_events``: how often the host's kernel hit a tracepoint for this guest, by its fields, vCPU and step.

Two witnesses where the kernel has ``hist:`` triggers: its own count of the whole boot must be that of the trace. Where
the ring buffer lost events, a question that the kernel's count answers is answered by it; any other is INCONCLUSIVE.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.ftrace import Record
from harness.evidence.host import Tracing
from harness.evidence.steps import StepIndex
from harness.evidence.trace import TraceFacts
from harness.evidence.trace_events import RawText
from harness.evidence.trace_text import fields_of
from harness.scenario.suggest import did_you_mean

__all__ = ["KvmEventsCheck"]


class KvmEventsCheck(Check):
    """Expect how often a tracepoint of the host's kernel was hit for this guest."""

    key: ClassVar[str] = "kvm_events"
    event: str = Field(
        pattern=r"^([a-z0-9_]+:)?[a-z0-9_]+$",
        description="The tracepoint, such as kvm_hypercall; of another system than kvm with it: sched:sched_switch.",
        examples=["kvm_exit", "kvm_hypercall", "kvm_pio"],
    )
    where: Mapping[str, int | str | bool] = Field(
        default={}, description="Count only events whose fields have these values, by the names that the trace prints."
    )
    vcpu: int | None = Field(
        default=None, ge=0, description="Only those of this vCPU: it is named, or its thread did it."
    )
    during: str | None = Field(default=None, description="Only within this step, as the trace marks it. Left out: all.")
    count: int | None = Field(default=None, ge=0, description="Exactly this many.")
    at_least: int | None = Field(default=None, ge=0, description="This many or more.")
    at_most: int | None = Field(default=None, ge=0, description="This many or fewer.")
    each_vcpu: int | None = Field(default=None, ge=0, description="Exactly this many on every vCPU.")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if (self.count, self.at_least, self.at_most, self.each_vcpu) == (None, None, None, None):
            raise ValueError(
                "kvm_events needs count, at_least, at_most or each_vcpu: as it stands, any count would pass"
            )
        known = fields_of(self.name)
        for field in self.where if known is not None else ():
            if known is not None and field not in known:
                hint = did_you_mean(field, list(known))
                raise ValueError(f"{self.name} has no field {field!r}{hint}; it has {', '.join(known)}")
        return self

    @property
    def name(self) -> str:
        """Return the event as a trace line has it."""
        return self.event.rpartition(":")[2]

    def trace_events(self) -> frozenset[str]:
        """Ask for the event; and for hypercalls, by which a payload marks its steps."""
        return self.counted_events() if self.during is None else self.counted_events() | {"kvm:kvm_hypercall"}

    def counted_events(self) -> frozenset[str]:
        """Ask for a second witness of the event."""
        return frozenset({self.event if ":" in self.event else f"kvm:{self.event}"})

    def kept_events(self) -> frozenset[str]:
        """Ask for the event's records."""
        return frozenset({self.name})

    def find(self, evidence: Evidence) -> Verdict:
        """Count, confront with the kernel's own count, and compare."""
        facts = evidence.facts
        tracing = facts.host.tracing if facts.host is not None else None
        if tracing is not None and any(missing.endswith(f":{self.name}") for missing in tracing.missing):
            assert facts.host is not None  # it has traced
            return self.unsupported(f"the kernel of host {facts.host.name} has no tracepoint {self.name}")
        lost = next((loss.why for loss in facts.losses if loss.what == "trace"), None)
        trace = facts.trace
        if lost is None and trace is not None and not trace.integrity.complete:
            lost = f"the trace is not whole: {trace.integrity.reasons[0]}"
        if lost is None and trace is None:
            lost = "this boot has no trace"
        if lost is not None:
            return self._by_kernel(tracing, facts.vcpus, lost)
        assert trace is not None  # lost says so otherwise
        if tracing is not None and self.name not in tracing.names:
            return self.unknown(f"{self.name} was not traced in this boot")
        return self._by_trace(trace, tracing, facts.vcpus)

    def _by_trace(self, trace: TraceFacts, tracing: Tracing | None, vcpus: int) -> Verdict:
        printed = trace.integrity.count(self.name)
        exact = None if tracing is None else tracing.count(self.name)
        if exact is not None and exact.total != printed:
            return self.unknown(
                f"{self.name}: the kernel counted {exact.total}, the trace has {printed}: events went astray"
            )
        if trace.kept is None:
            return self.unknown(trace.reasons[0])
        steps = {window.step for window in trace.windows}
        if self.during is not None and self.during not in steps:
            return self.unknown(f"the trace has no step {self.during!r}; it has {', '.join(sorted(steps)) or 'none'}")
        if any(window.step == self.during and window.end is None for window in trace.windows):
            return self.unknown(f"the step {self.during!r} began and never ended")
        threads = dict(tracing.threads) if tracing is not None else {}
        index = StepIndex(trace.windows)
        fitting = [
            record
            for record in trace.kept
            if record.event == self.name
            and (self.during is None or index.step_at(record.at, record.line) == self.during)
            and all(_value(record, field) == value for field, value in self.where.items())
        ]
        by_vcpu = Counter(_vcpu_of(record, threads) for record in fitting)
        how = ", which the kernel's own count confirms" if exact is not None else ""
        return self._compare(by_vcpu, vcpus, f"{printed} in the whole boot{how}")

    # Without a trace to rest on, the kernel's count by thread still answers what needs neither fields nor time.
    def _by_kernel(self, tracing: Tracing | None, vcpus: int, lost: str) -> Verdict:
        exact = None if tracing is None else tracing.count(self.name)
        if exact is None or tracing is None or self.where or self.during is not None:
            return self.unknown(lost)
        threads = dict(tracing.threads)
        by_vcpu: Counter[int | None] = Counter()
        for thread, count in exact.by_thread:
            by_vcpu[threads.get(thread)] += count
        return self._compare(by_vcpu, vcpus, f"counted in the kernel; {lost}")

    def _compare(self, by_vcpu: Counter[int | None], vcpus: int, witness: str) -> Verdict:
        seen = by_vcpu.total() if self.vcpu is None else by_vcpu[self.vcpu]
        said = f"{self._what()}: {seen} ({_spread(by_vcpu)}; {witness})"
        if self.count is not None and seen != self.count:
            return self.failed(f"{said}, expected {self.count} ({seen - self.count:+d})")
        if self.at_least is not None and seen < self.at_least:
            return self.failed(f"{said}, expected at least {self.at_least}")
        if self.at_most is not None and seen > self.at_most:
            return self.failed(f"{said}, expected at most {self.at_most}")
        if self.each_vcpu is not None:
            wrong = [vcpu for vcpu in range(vcpus) if by_vcpu[vcpu] != self.each_vcpu]
            if wrong:
                return self.failed(
                    f"{said}, expected {self.each_vcpu} on each: vCPU {wrong[0]} has {by_vcpu[wrong[0]]}"
                )
        return self.passed(said)

    def _what(self) -> str:
        parts = [self.name]
        if self.where:
            parts.append(" ".join(f"{field}={value}" for field, value in self.where.items()))
        if self.vcpu is not None:
            parts.append(f"on vCPU {self.vcpu}")
        if self.during is not None:
            parts.append(f"during {self.during}")
        return " ".join(parts)


def _value(record: Record, field: str) -> object:
    fields = record.fields
    if not isinstance(fields, RawText) and field in fields._fields:
        return getattr(fields, field)
    pairs: Sequence[tuple[str, int | str]] = fields.extra
    # "pio_write at 0x70": what the words before the value end with will do as its name.
    return next((value for name, value in pairs if name == field or name.endswith(f" {field}")), None)


def _vcpu_of(record: Record, threads: Mapping[int, int]) -> int | None:
    named = getattr(record.fields, "vcpu", None)
    return named if isinstance(named, int) else threads.get(record.pid)


def _spread(by_vcpu: Counter[int | None]) -> str:
    known = [f"vCPU {vcpu}: {count}" for vcpu, count in sorted((v, c) for v, c in by_vcpu.items() if v is not None)]
    others = [f"other threads: {by_vcpu[None]}"] if by_vcpu[None] else []
    return ", ".join([*known, *others]) or "none"
