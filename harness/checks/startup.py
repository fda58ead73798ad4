"""``startup``: the milestones came, in order, each phase within its budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.startup import MILESTONES, SSH
from harness.scenario.quantities import DurationS
from harness.units import format_duration

__all__ = ["StartupCheck"]

_KNOWN = (*dict.fromkeys(milestone.name for milestone in MILESTONES), SSH)


class StartupCheck(Check):
    """Expect milestones of the start-up, in this order, and how long they may take."""

    key: ClassVar[str] = "startup"
    rests_on: ClassVar[frozenset[str]] = frozenset({"console", "firmware"})
    milestones: tuple[str, ...] = Field(min_length=1, description=f"In order, of: {', '.join(_KNOWN)}.")
    within: DurationS | None = Field(default=None, description="From the start of QEMU to the last of them.")
    budgets: Mapping[str, DurationS] = Field(
        default={}, description="Longest time from the milestone before it, by milestone."
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in self.milestones:
            if name not in _KNOWN:
                raise ValueError(f"there is no milestone {name!r}; there are {', '.join(_KNOWN)}")
        for name in self.budgets:
            if name not in self.milestones:
                raise ValueError(f"budgets: {name!r} is not among the milestones of this entry")
        return self

    def find(self, evidence: Evidence) -> Verdict:
        """Walk the milestones in the order that is expected."""
        at_s = {mark.milestone: mark.at_s for mark in reversed(evidence.facts.marks)}
        before_s = 0.0
        durations: list[str] = []
        for name in self.milestones:
            if name not in at_s:
                reached = ", ".join(durations) or "none"
                return self.failed(f"milestone {name} was never reached; reached: {reached}")
            took_s = at_s[name] - before_s
            durations.append(f"{name} {format_duration(max(took_s, 0.0))}")
            if took_s < 0:
                return self.failed(f"{name} came {format_duration(-took_s)} before the milestone that it must follow")
            budget_s = self.budgets.get(name)
            if budget_s is not None and took_s > budget_s:
                return self.failed(f"{name} took {format_duration(took_s)}, more than {format_duration(budget_s)}")
            before_s = at_s[name]
        if self.within is not None and before_s > self.within:
            return self.failed(
                f"{self.milestones[-1]} after {format_duration(before_s)}, not {format_duration(self.within)}"
            )
        return self.passed(", ".join(durations))
