"""Define what a check is: an expectation from the scenario that judges the evidence of one boot.

A check is one file of this package with one :class:`Check`; :func:`harness.checks.all_checks` finds it there. Judging
is pure, so a verdict can be derived again from the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from harness.classify.outcome import Outcome
from harness.evidence.records import BootFacts, Sample
from harness.scenario.expectation import Expectation

__all__ = ["Check", "Evidence", "Place", "Status", "Verdict", "span", "worst"]


class Status(StrEnum):
    """Say what was found; the order is that of weight, the heaviest first."""

    FAIL = "FAIL"
    ERROR = "ERROR"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNSUPPORTED = "UNSUPPORTED"
    PASS = "PASS"


def worst(statuses: Sequence[Status]) -> Status:
    """Return the status that decides: a FAIL is not softened by anything beside it.

    UNSUPPORTED beside a PASS does not spoil it. An empty list is INCONCLUSIVE: nothing was judged.
    """
    for status in Status:
        if status in statuses and not (status is Status.UNSUPPORTED and Status.PASS in statuses):
            return status
    return Status.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class Place:
    """Point into the trace: its time in the trace's unit, and the vCPU."""

    at: int
    vcpu: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold one check's answer; ``reason`` is a sentence with the operands, also for a PASS.

    ``at`` is where in the trace the expectation was first broken, None where there is no such place.
    """

    check: str
    status: Status
    reason: str
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold all that a check may look at."""

    facts: BootFacts
    outcome: Outcome


class Check(Expectation):
    """Be one entry of ``expect``.

    ``rests_on`` names the parts of the evidence without which neither answer can be trusted; the names are those of
    :class:`~harness.evidence.records.Loss`.
    """

    #: Losses in these parts make the answer INCONCLUSIVE.
    rests_on: ClassVar[frozenset[str]] = frozenset()
    #: The guest must be asked for its interrupt counts and CPUs around each step.
    needs_samples: ClassVar[bool] = False

    def trace_events(self) -> frozenset[str]:
        """Return the host's tracepoints (``system:event``) that this needs; those that a kernel lacks are left out."""
        return frozenset()

    def counted_events(self) -> frozenset[str]:
        """Return those of the tracepoints that the kernel shall count too: exact, at a cost for each event."""
        return frozenset()

    def kept_events(self) -> frozenset[str]:
        """Return the events, without their systems, whose records this looks at one by one."""
        return frozenset()

    def find(self, evidence: Evidence) -> Verdict:
        """Judge evidence that is known to be whole; overridden by each check."""
        raise NotImplementedError

    def judge(self, evidence: Evidence) -> Verdict:
        """Judge the evidence; a loss in what the check rests on is INCONCLUSIVE, never a PASS and never a FAIL."""
        for loss in evidence.facts.losses:
            if loss.what in self.rests_on:
                return self.unknown(str(loss))
        return self.find(evidence)

    def passed(self, reason: str) -> Verdict:
        """Answer PASS."""
        return Verdict(self.key, Status.PASS, reason)

    def failed(self, reason: str, at: Place | None = None) -> Verdict:
        """Answer FAIL; ``at`` is where in the trace, if it has a place."""
        return Verdict(self.key, Status.FAIL, reason, at)

    def unsupported(self, reason: str) -> Verdict:
        """Answer UNSUPPORTED."""
        return Verdict(self.key, Status.UNSUPPORTED, reason)

    def unknown(self, reason: str) -> Verdict:
        """Answer INCONCLUSIVE."""
        return Verdict(self.key, Status.INCONCLUSIVE, reason)

    def found(self, good: bool, reason: str) -> Verdict:
        """Answer PASS if ``good``, else FAIL, with the same operands."""
        return self.passed(reason) if good else self.failed(reason)


def span(facts: BootFacts, during: str | None) -> tuple[Sample, Sample] | None:
    """Return the samples before and after the step ``during``, or at ready and at the end (None).

    None is returned if either was never taken.
    """
    labels = ("ready", "end") if during is None else (f"before {during}", f"after {during}")
    before, after = (facts.sample(label) for label in labels)
    return None if before is None or after is None else (before, after)
