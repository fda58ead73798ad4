"""``kvm_selftests``: what the kernel's own KVM selftests answered on the host, program by program."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.records import StepFact, StepStatus
from harness.evidence.selftests import parse_selftests, programs
from harness.evidence.subresults import Report, Status

__all__ = ["KvmSelftestsCheck"]

_NAMED = 5


class KvmSelftestsCheck(Check):
    """Expect that the programs of a kvm_selftests step passed, and not only because all were skipped."""

    key: ClassVar[str] = "kvm_selftests"
    step: str = Field(default="kvm_selftests", min_length=1, description="Name of the step that ran them.")
    at_least: int = Field(default=1, ge=1, description="This many programs or more must have passed.")
    passed_tests: tuple[str, ...] = Field(
        default=(),
        validation_alias="passed",
        serialization_alias="passed",
        description="These programs, or one for each pattern with * and ?, must be among those that passed.",
    )
    skips: int | None = Field(default=None, ge=0, description="At most this many may be skipped. Left out: any number.")

    def steps_named(self) -> tuple[str, ...]:
        """Return the step whose programs are judged."""
        return (self.step,)

    def find(self, evidence: Evidence) -> Verdict:
        """Read the step's report; one that is missing or cut decides nothing, unless a program failed."""
        step = evidence.facts.step(self.step)
        if step is None or step.status is StepStatus.NOT_REACHED or not step.output:
            return self.unknown(_nothing(self.step, step))
        report = parse_selftests(step.output)
        if report.failed:
            named = ", ".join(" / ".join(result.name) for result in report.failed[:_NAMED])
            return self.failed(f"{_counts(report)}: {named}")
        bad = [str(problem) for problem in report.problems if problem.loses_evidence]
        if bad:
            return self.unknown(f"the report is not whole: {bad[0]}")
        return self._found(report)

    def _found(self, report: Report) -> Verdict:
        said = _counts(report)
        found = programs(report)
        good = [name for name, status in found.items() if status is Status.PASS]
        for pattern in self.passed_tests:
            if not any(fnmatchcase(name, pattern) for name in good):
                here = [name for name in found if fnmatchcase(name, pattern)]
                return self.failed(f"{said}; {pattern} {'was skipped' if here else 'was not run'}")
        if len(good) < self.at_least:
            return self.failed(f"{said}, expected at least {self.at_least} passed")
        skipped = sum(status is Status.SKIP for status in found.values())
        if self.skips is not None and skipped > self.skips:
            return self.failed(f"{said}, expected at most {self.skips} skipped")
        return self.passed(said)


def _nothing(name: str, step: StepFact | None) -> str:
    why = f": {step.reason}" if step is not None and step.reason else ""
    return f"step {name} ran no selftest{why}"


def _counts(report: Report) -> str:
    found = list(programs(report).values())
    failed, skipped = sum(status.failed for status in found), found.count(Status.SKIP)
    return f"{len(found)} selftests: {found.count(Status.PASS)} passed, {failed} failed, {skipped} skipped"
