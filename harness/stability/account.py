"""Count the boots of a campaign, from their lines alone, so that a run that was cut short counts the same.

A boot that hangs ends later than one that works. Counted as they end, boots that were asked about early would look
better than they are; so the rate counts boots in the order in which they were started, up to the first that has not
ended yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harness.checks.base import Status
from harness.results.record import BootLine
from harness.stability.goal import Goal
from harness.stats.answer import Answer, fixed_answer
from harness.stats.anytime import anytime_interval
from harness.stats.binomial import exact_interval
from harness.stats.sequential import sequential_answer

__all__ = ["Account", "Kind", "count_boots", "failure_signature"]

# When so many boots have told nothing and none anything, more will not either.
_HOPELESS_BOOTS = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """Be all failures of one signature; ``first`` is the one that was started first.

    ``known`` is the known issue that this one belongs to; None: none.
    """

    signature: str
    boots: int
    first: BootLine
    known: str | None = None


def failure_signature(line: BootLine) -> str:
    """Return what groups a failed boot with others: how it ended, or the first check that failed if it ended well."""
    failed = [verdict.check for verdict in line.verdicts if verdict.status is Status.FAIL]
    if line.outcome is None or (failed and failed[0] != "outcome"):
        return f"check: {failed[0]}" if failed else "no outcome"
    return line.outcome.signature


@dataclass
class Account:
    """Be what is known so far; ``add`` takes each boot once, in any order.

    ``bad``, ``good`` and ``lost`` (INCONCLUSIVE, ERROR, UNSUPPORTED) count the first ``counted`` boots. ``known`` are
    failures that belong to a known issue: the rate is that of the others, among which they count as good. ``decided``
    is the answer of the sequential rule and the boot at which it was reached; None: not yet. ``issue_of`` names the
    known issue of a failed boot.
    """

    goal: Goal
    variants: int
    lines: dict[int, BootLine] = field(default_factory=dict)
    counted: int = 0
    bad: int = 0
    good: int = 0
    lost: int = 0
    known: int = 0
    decided: tuple[Answer, int] | None = None
    issue_of: Callable[[BootLine], str | None] = lambda line: None
    issues: dict[int, str] = field(default_factory=dict)

    def add(self, line: BootLine) -> None:
        """Take the line of a boot; a second one of the same boot, or one of no campaign, changes nothing."""
        turn = line.identity.turn
        if turn is None or turn in self.lines or turn > self.goal.boots:
            return
        self.lines[turn] = line
        issue = self.issue_of(line) if line.status is Status.FAIL else None
        if issue is not None:
            self.issues[turn] = issue
        while (following := self.lines.get(self.counted + 1)) is not None:
            self._count(following)

    def _count(self, line: BootLine) -> None:
        self.counted += 1
        if line.status is Status.PASS:
            self.good += 1
        elif self.counted in self.issues:
            self.known += 1
        elif line.status is Status.FAIL:
            self.bad += 1
        else:
            self.lost += 1
        limit = self.goal.max_failure_rate
        # Of variants that differ the rule speaks once each had its turn (harness/stats/sequential.py).
        if limit is not None and self.decided is None and self.counted % self.variants == 0:
            answer = sequential_answer(self.bad, self.good + self.known, self.lost, limit, self.goal.confidence)
            if answer is not Answer.UNDECIDED:
                self.decided = (answer, self.counted)

    @property
    def told(self) -> int:
        """Return how many of the counted boots told something."""
        return self.bad + self.known + self.good

    @property
    def complete(self) -> bool:
        """Tell whether every boot that was planned has ended."""
        return self.counted == self.goal.boots

    @property
    def exact(self) -> bool:
        """Tell whether the number of boots was fixed beforehand and reached, so that the exact interval holds."""
        return self.complete and not self.goal.peeks

    @property
    def stop(self) -> str | None:
        """Say why no further boot is needed; None: go on."""
        goal = self.goal
        if goal.sequential and self.decided is not None:
            return f"decided by boot {self.decided[1]}"
        if goal.until is not None:
            seen = sum(kind.boots for kind in self.kinds() if goal.until.signature in kind.signature)
            if seen >= goal.until.count:
                return f"failures with {goal.until.signature!r}: {seen}"
        if self.lost == self.counted >= _HOPELESS_BOOTS:
            return f"none of the first {self.counted} boots told anything"
        return "all boots are made" if self.complete else None

    @property
    def answer(self) -> Answer:
        """Return what the counted boots show, by the rule that holds for how they came about."""
        goal = self.goal
        if goal.max_failure_rate is None:
            if self.bad == 0 and not self.complete:
                return Answer.UNDECIDED
            return fixed_answer(self.bad, self.good + self.known, self.lost, None, goal.confidence)
        if self.exact:
            return fixed_answer(self.bad, self.good + self.known, self.lost, goal.max_failure_rate, goal.confidence)
        return Answer.UNDECIDED if self.decided is None else self.decided[0]

    @property
    def interval(self) -> tuple[float, float]:
        """Return the two-sided interval of the failure rate among the boots that told something."""
        interval = exact_interval if self.exact else anytime_interval
        return interval(self.bad, self.told, self.goal.confidence)

    def kinds(self) -> list[Kind]:
        """Group all failed boots by signature, the most frequent first; also those that ended out of turn."""
        failed = [(turn, line) for turn, line in sorted(self.lines.items()) if line.status is Status.FAIL]
        counts = Counter(failure_signature(line) for _, line in failed)
        first: dict[str, tuple[int, BootLine]] = {}
        for turn, line in failed:
            first.setdefault(failure_signature(line), (turn, line))
        return [
            Kind(signature, boots, first[signature][1], self.issues.get(first[signature][0]))
            for signature, boots in counts.most_common()
        ]

    def lost_lines(self) -> list[BootLine]:
        """Return the boots that told nothing, in their order."""
        told = (Status.PASS, Status.FAIL)
        return [line for _, line in sorted(self.lines.items()) if line.status not in told]

    def missing(self) -> list[int]:
        """Return the turns that are not made yet, in their order."""
        return [turn for turn in range(1, self.goal.boots + 1) if turn not in self.lines]


def count_boots(
    goal: Goal,
    variants: int,
    lines: Iterable[BootLine],
    issue_of: Callable[[BootLine], str | None] = lambda line: None,
) -> Account:
    """Count the recorded ``lines`` of a campaign that takes ``variants`` in turn; ``issue_of`` as in the account."""
    account = Account(goal, variants, issue_of=issue_of)
    for line in lines:
        account.add(line)
    return account
