"""Add up boots by scenario and grade: a rate with its interval, a verdict, and the failures by kind.

Grades are never added together, and a stability campaign is judged by its own goal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.checks.base import Status, worst
from harness.classify.signature import steady
from harness.history.recorded import RecordedRun
from harness.results.record import BootLine
from harness.scenario.model import Platform
from harness.stability.account import count_boots, failure_signature
from harness.stability.goal import Goal
from harness.stats.answer import Answer
from harness.stats.anytime import anytime_interval
from harness.stats.binomial import exact_interval
from harness.units import exact_rate

__all__ = ["CONFIDENCE", "Boot", "Group", "Kind", "group_runs", "kind_of", "rank_of"]

CONFIDENCE = 0.95
_LONGEST_KIND = 160


@dataclass(frozen=True, slots=True)
class Boot:
    """Be one line of one run; ``run`` is the run's name, ``issue`` the known issue that excuses its failure."""

    run: str
    line: BootLine
    issue: str | None = None

    @property
    def name(self) -> str | None:
        """Return how commands name it, ``RUN/3``; None if nothing was booted."""
        folder = self.line.folder
        return None if folder is None else f"{self.run}/{int(folder.removeprefix('boots/'))}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Be all boots of one signature: ``first`` was started first, ``known`` is the known issue that excuses it."""

    signature: str
    status: Status
    boots: int
    first: Boot
    known: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Be all boots of one scenario on one grade.

    ``interval`` holds the failure rate of the boots that told something, with 95% confidence; ``exact`` says by which
    rule: the exact one for a number of boots that was fixed beforehand, else the one that holds while watching.
    ``known`` of the ``bad`` are excused by a known issue: they are failures, and no reason for a FAIL. ``campaign``:
    boots of a stability campaign are among them, so that the verdict is the answer to its question.
    """

    scenario: str
    grade: str
    boots: tuple[Boot, ...]
    verdict: Status
    why: str
    good: int
    bad: int
    lost: int
    unsupported: int
    interval: tuple[float, float]
    exact: bool
    campaign: bool
    known: int = 0

    @property
    def told(self) -> int:
        """Count the boots that passed or failed."""
        return self.good + self.bad

    def kinds(self) -> tuple[Kind, ...]:
        """Group what did not pass by signature: failures first, the most frequent first."""
        first: dict[tuple[Status, str], Boot] = {}
        counts: Counter[tuple[Status, str]] = Counter()
        for boot in self.boots:
            if boot.line.status not in (Status.PASS, Status.UNSUPPORTED):
                key = (boot.line.status, kind_of(boot.line))
                counts[key] += 1
                first.setdefault(key, boot)
        order = list(Status)
        ranked = sorted(counts.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
        return tuple(
            Kind(signature, status, n, first[status, signature], first[status, signature].issue)
            for (status, signature), n in ranked
        )

    def by_variant(self) -> Mapping[str, tuple[Boot, ...]]:
        """Return the boots of each variant."""
        found: dict[str, list[Boot]] = {}
        for boot in self.boots:
            found.setdefault(boot.line.identity.variant, []).append(boot)
        return {variant: tuple(boots) for variant, boots in found.items()}


def kind_of(line: BootLine) -> str:
    """Return what groups a boot that did not pass with others: its signature, or its reason without its numbers."""
    if line.status is Status.FAIL:
        return failure_signature(line)
    return f"{line.status}: {steady(line.reason)[:_LONGEST_KIND]}"


def rank_of(grade: str) -> int:
    """Return the rank of a grade's name, 0 the weakest; -1 for one that this version does not know."""
    return Platform(grade).rank if grade in list(Platform) else -1


def group_runs(runs: Sequence[RecordedRun]) -> tuple[Group, ...]:
    """Add up all boots of the runs.

    What went wrong comes first and what could not run at all last; then the best grade, then by scenario.
    """
    found: dict[tuple[str, str], list[tuple[RecordedRun, BootLine]]] = {}
    for run in runs:
        for line in run.lines:
            found.setdefault((line.identity.scenario, line.identity.platform), []).append((run, line))
    groups = [_group(scenario, grade, members) for (scenario, grade), members in found.items()]
    weight = [*(status for status in Status if status is not Status.UNSUPPORTED), Status.UNSUPPORTED]
    return tuple(sorted(groups, key=lambda group: (weight.index(group.verdict), -rank_of(group.grade), group.scenario)))


def _group(scenario: str, grade: str, members: Sequence[tuple[RecordedRun, BootLine]]) -> Group:
    counts = Counter(line.status for _, line in members)
    bad, good = counts[Status.FAIL], counts[Status.PASS]
    # Two numbers of boots that were each fixed beforehand make one; a campaign that peeks spoils that for all.
    exact = all(run.goal is None or not run.goal.peeks for run, _ in members)
    verdict, why = _verdict(members)
    return Group(
        scenario=scenario,
        grade=grade,
        boots=tuple(Boot(run.name, line, run.issue_of(line)) for run, line in members),
        verdict=verdict,
        why=why,
        good=good,
        bad=bad,
        lost=counts[Status.INCONCLUSIVE] + counts[Status.ERROR],
        unsupported=counts[Status.UNSUPPORTED],
        interval=(exact_interval if exact else anytime_interval)(bad, bad + good, CONFIDENCE),
        exact=exact,
        campaign=any(run.goal is not None for run, _ in members),
        known=sum(line.status is Status.FAIL and run.issue_of(line) is not None for run, line in members),
    )


def _verdict(members: Iterable[tuple[RecordedRun, BootLine]]) -> tuple[Status, str]:
    # A campaign accepts failures up to its limit, so its boots are not judged one by one.
    by_run: dict[str, tuple[RecordedRun, list[BootLine]]] = {}
    for run, line in members:
        by_run.setdefault(run.name, (run, []))[1].append(line)
    found: list[tuple[Status, str]] = []
    for run, lines in by_run.values():
        if run.goal is None:
            statuses = [Status.PASS if run.issue_of(line) is not None else line.status for line in lines]
            status = worst(statuses)
            found.append((status, _reason(lines, statuses, status)))
        else:
            found.append(_campaign_verdict(run, run.goal, lines))
    status = worst([status for status, _ in found])
    return next(((status, why) for each, why in found if each is status), (status, ""))


def _reason(lines: Sequence[BootLine], statuses: Sequence[Status], decides: Status) -> str:
    found = (line.reason for line, status in zip(lines, statuses, strict=True) if status is decides)
    return next(found, "")


def _campaign_verdict(run: RecordedRun, goal: Goal, lines: Sequence[BootLine]) -> tuple[Status, str]:
    account = count_boots(goal, run.turns, lines, run.issue_of)
    status = _STATUS[account.answer]
    seen = {line.status for line in lines}
    if status is Status.INCONCLUSIVE and seen in ({Status.ERROR}, {Status.UNSUPPORTED}):
        return seen.pop(), lines[0].reason
    limit = goal.max_failure_rate
    confidence = exact_rate(goal.confidence)
    if limit is None:
        asked = "no failure is accepted"
    else:
        asked = f"asked for a failure rate below {exact_rate(limit)} with {confidence} confidence"
    made = "" if account.complete or account.stop else f"; {account.counted} of {goal.boots} boots made"
    return status, f"stability: {asked}{made}"


_STATUS = {Answer.PASS: Status.PASS, Answer.FAIL: Status.FAIL, Answer.UNDECIDED: Status.INCONCLUSIVE}
