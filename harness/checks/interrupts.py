"""``interrupts``: by how much a source's counts in ``/proc/interrupts`` grew, and on which CPUs.

Routing is proven, not assumed: with ``on_cpu`` the whole count must have landed there and none elsewhere.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Check, Evidence, Verdict, span
from harness.evidence.interrupts import Change, change

__all__ = ["InterruptsCheck"]


class InterruptsCheck(Check):
    """Expect how many interrupts of a source the guest counted."""

    key: ClassVar[str] = "interrupts"
    rests_on: ClassVar[frozenset[str]] = frozenset({"samples"})
    needs_samples: ClassVar[bool] = True
    source: str = Field(min_length=1, description="As /proc/interrupts names it: i8042, NMI, 1, virtio0-input.0.")
    during: str | None = Field(default=None, description="During this step. Left out: from ready to the end.")
    count: int | None = Field(default=None, ge=0, description="Exactly this many, over all CPUs.")
    at_least: int | None = Field(default=None, ge=0, description="This many or more, over all CPUs.")
    at_most: int | None = Field(default=None, ge=0, description="This many or fewer, over all CPUs.")
    on_cpu: int | None = Field(default=None, ge=0, description="All of them on this CPU, and none on another.")
    each_cpu: int | None = Field(default=None, ge=0, description="Exactly this many on every CPU that is online.")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if self.count is None and self.at_least is None and self.at_most is None and self.each_cpu is None:
            raise ValueError(
                "interrupts needs count, at_least, at_most or each_cpu: as it stands, any count would pass"
            )
        return self

    def steps_named(self) -> tuple[str, ...]:
        """Return the step during which is counted."""
        return () if self.during is None else (self.during,)

    def find(self, evidence: Evidence) -> Verdict:
        """Subtract the two samples and compare."""
        samples = span(evidence.facts, self.during)
        if samples is None:
            return self.unknown(
                f"the guest was not asked for its interrupts before and after {self.during or 'the steps'}"
            )
        before, after = samples
        try:
            grown = change(self.source, before.interrupts, after.interrupts)
        except ValueError as error:
            return self.unknown(str(error))
        said = f"{self.source}: {grown.total} ({_by_cpu(grown)})"
        wrong = self._wrong(grown, after.online)
        return self.failed(f"{said}, {wrong}") if wrong else self.passed(said)

    def _wrong(self, grown: Change, online: tuple[int, ...]) -> str | None:
        if self.count is not None and grown.total != self.count:
            kind = f"{self.count - grown.total} lost" if grown.total < self.count else "too many"
            return f"expected {self.count}: {kind}"
        if self.at_least is not None and grown.total < self.at_least:
            return f"expected at least {self.at_least}"
        if self.at_most is not None and grown.total > self.at_most:
            return f"expected at most {self.at_most}"
        counts = dict(grown.by_cpu)
        for cpu, count in counts.items():
            if self.on_cpu is not None and cpu != self.on_cpu and count:
                return f"expected all on CPU {self.on_cpu}: {count} misrouted to CPU {cpu}"
        for cpu in online:
            # A source may have no column of a CPU; that is a count of none, not a CPU to pass over.
            if self.each_cpu is not None and counts.get(cpu, 0) != self.each_cpu:
                return f"expected {self.each_cpu} on each CPU: CPU {cpu} has {counts.get(cpu, 0)}"
        return None


def _by_cpu(grown: Change) -> str:
    return ", ".join(f"CPU {cpu}: {count}" for cpu, count in grown.by_cpu)
