"""``guest``: what a command in the guest answered: its exit status, its output, a number in its output."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.records import StepStatus
from harness.scenario.base import Model
from harness.scenario.quantities import RegexText

__all__ = ["GuestCheck", "Number"]


class Number(Model):
    """Expect a number in the output."""

    pattern: RegexText = Field(description="Regular expression whose first group is the number.")
    equals: float | None = Field(default=None, strict=False, description="The number must be this.")
    at_least: float | None = Field(default=None, strict=False, description="The number must be this or more.")
    at_most: float | None = Field(default=None, strict=False, description="The number must be this or less.")

    @model_validator(mode="after")
    def _compares(self) -> Self:
        if self.equals is None and self.at_least is None and self.at_most is None:
            raise ValueError("a number needs equals, at_least or at_most: as it stands, any number would pass")
        if re.compile(self.pattern).groups < 1:
            raise ValueError("the pattern needs a group around the number, such as ([0-9]+)")
        return self

    def wanted(self) -> str:
        """Render the comparison."""
        parts = (("", self.equals), ("at least ", self.at_least), ("at most ", self.at_most))
        return " and ".join(f"{word}{limit:g}" for word, limit in parts if limit is not None)

    def holds(self, value: float) -> bool:
        """Tell whether the value satisfies every comparison."""
        return (
            (self.equals is None or value == self.equals)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
        )


class GuestCheck(Check):
    """Expect the answer of a command that a guest step ran."""

    key: ClassVar[str] = "guest"
    step: str = Field(min_length=1, description="Name of the guest step whose answer is judged.")
    status: int | None = Field(default=None, description="Its exit status must be this.")
    matches: RegexText | None = Field(default=None, description="Its output must have a match of this.")
    lacks: RegexText | None = Field(default=None, description="Its output must not have a match of this.")
    number: Number | None = Field(default=None, description="A number in its output, compared.")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if self.status is None and self.matches is None and self.lacks is None and self.number is None:
            raise ValueError("guest needs status, matches, lacks or number: as it stands, any answer would pass")
        return self

    def steps_named(self) -> tuple[str, ...]:
        """Return the step whose answer is judged."""
        return (self.step,)

    def find(self, evidence: Evidence) -> Verdict:
        """Judge what the step recorded."""
        step = evidence.facts.step(self.step)
        if step is None or step.status is StepStatus.NOT_REACHED:
            return self.unknown(f"step {self.step} was never run")
        if step.exit_status is None:
            return self.failed(f"step {self.step}: {step.reason or 'no answer'}")
        said = _excerpt(step.output)
        if self.status is not None and step.exit_status != self.status:
            return self.failed(f"{self.step}: exit status {step.exit_status}, not {self.status}: {said}")
        if self.matches is not None and not re.search(self.matches, step.output, re.MULTILINE):
            return self.failed(f"{self.step}: no match of {self.matches!r} in {said}")
        if self.lacks is not None and (match := re.search(self.lacks, step.output, re.MULTILINE)):
            return self.failed(f"{self.step}: {match.group()!r} in {said}")
        if self.number is not None:
            return self._find_number(self.number, step.output)
        return self.passed(f"{self.step}: exit status {step.exit_status}: {said}")

    def _find_number(self, number: Number, output: str) -> Verdict:
        match = re.search(number.pattern, output, re.MULTILINE)
        if match is None:
            return self.failed(f"{self.step}: no match of {number.pattern!r} in {_excerpt(output)}")
        try:
            value = float(match[1])
        except (TypeError, ValueError):
            return self.failed(f"{self.step}: {match[1]!r} is no number")
        return self.found(number.holds(value), f"{self.step}: {match[1]}, expected {number.wanted()}")


def _excerpt(output: str) -> str:
    line = " ".join(output.split())
    return repr(line if len(line) <= 80 else f"{line[:77]}...")
