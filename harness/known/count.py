"""Count known failures against what was accepted, so that a worse rate is not hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.checks.base import Status
from harness.known.entries import KnownIssue
from harness.known.match import BootFeatures, in_scope, issue_of
from harness.results.record import BootLine
from harness.stats.anytime import anytime_interval
from harness.stats.binomial import lower_bound
from harness.units import exact_rate

__all__ = ["IssueCount", "KnownCount", "count_known"]

_CONFIDENCE = 0.95
_TOLD = (Status.PASS, Status.FAIL)


@dataclass(frozen=True, slots=True)
class IssueCount:
    """Count one entry: ``bad`` of the ``told`` boots in its scope that told something failed in its way.

    ``worse``: the failure rate is above what the entry accepts, shown with 95% confidence (exact, one-sided).
    """

    issue: KnownIssue
    bad: int
    told: int
    worse: bool

    def __str__(self) -> str:
        """Say it for people."""
        issue = self.issue
        known = f"known issue {issue.id}: {self.bad} of {self.told} boots, accepted up to {exact_rate(issue.max_rate)}"
        if self.worse:
            return f"{known}: WORSE than that with 95% confidence, and not excused ({issue.link})"
        return f"{known} until {issue.expires} ({issue.link})"


@dataclass(frozen=True, slots=True)
class KnownCount:
    """Hold the entries that apply, and ``of_boot``: the id of the entry that excuses the boot in a folder."""

    issues: tuple[IssueCount, ...]
    of_boot: Mapping[str, str]

    def excuses(self, line: BootLine) -> bool:
        """Tell whether the boot's failure is known and within its rate."""
        return line.folder is not None and line.folder in self.of_boot

    @property
    def worse(self) -> tuple[IssueCount, ...]:
        """Return the entries whose rate is exceeded."""
        return tuple(count for count in self.issues if count.worse)


def count_known(
    lines: Sequence[BootLine],
    features: Callable[[BootLine], BootFeatures],
    issues: Sequence[KnownIssue],
    *,
    watched: bool = False,
) -> KnownCount:
    """Count the recorded ``lines`` by the valid entries; those with neither a boot in scope nor a failure stay away.

    ``features`` is asked of every boot that told something. ``watched``: the number of boots depends on what was seen,
    so that the rate is tested with an interval that allows for it.
    """
    told = [(line, features(line)) for line in lines if line.status in _TOLD] if issues else []
    of = {id(line): issue_of(line, boot, issues) for line, boot in told}
    counts: list[IssueCount] = []
    of_boot: dict[str, str] = {}
    for issue in issues:
        boots = sum(in_scope(issue.scope, boot) for _, boot in told)
        hits = [line for line, _ in told if of[id(line)] is issue]
        if not boots:
            continue
        count = IssueCount(issue, len(hits), boots, worse=False)
        counts.append(replace(count, worse=_at_least(len(hits), boots, watched) > issue.max_rate))
        if not counts[-1].worse:
            of_boot |= {line.folder: issue.id for line in hits if line.folder is not None}
    return KnownCount(tuple(counts), of_boot)


def _at_least(bad: int, boots: int, watched: bool) -> float:
    if watched:
        # Two-sided with 90%: its lower end alone is missed with 5%.
        return anytime_interval(bad, boots, 1 - 2 * (1 - _CONFIDENCE))[0]
    return lower_bound(bad, boots, _CONFIDENCE)
