"""``report``: what the payload itself found: every result of its report, and that the report is whole."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.subresults import Report, Status

__all__ = ["ReportCheck"]

_NAMED = 3


class ReportCheck(Check):
    """Expect that no result of the payload's report is bad; without this entry, every report must be so."""

    key: ClassVar[str] = "report"
    at_least: int = Field(default=1, ge=1, description="The report must have this many results or more.")
    skips: int | None = Field(default=None, ge=0, description="At most this many may be skipped. Left out: any number.")

    def find(self, evidence: Evidence) -> Verdict:
        """Read the results; a report that was cut is INCONCLUSIVE unless it names a failure already."""
        report = evidence.facts.report
        if report is None:
            return self.unknown("this guest gives no report")
        if report.failed:
            named = "; ".join(" / ".join(result.name) for result in report.failed[:_NAMED])
            return self.failed(f"{len(report.failed)} of {len(report.subresults)} not ok: {named}")
        bad = [str(problem) for problem in report.problems if problem.loses_evidence]
        if bad:
            return self.unknown(f"the report is not whole: {bad[0]}")
        return self._found_whole(report)

    def _found_whole(self, report: Report) -> Verdict:
        skipped = sum(result.status is Status.SKIP for result in report.subresults)
        said = f"{len(report.subresults)} results, {skipped} skipped, none bad"
        if len(report.subresults) < self.at_least:
            return self.failed(f"{said}, expected at least {self.at_least}")
        if self.skips is not None and skipped > self.skips:
            return self.failed(f"{said}, expected at most {self.skips} skipped")
        return self.passed(said)
