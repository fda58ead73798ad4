"""Apply the known issues to a run, and leave in its folder what they explained."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import InputError
from harness.known.count import KnownCount, count_known
from harness.known.entries import KnownIssue, KnownIssues
from harness.known.match import BootFeatures, features_of, issue_of
from harness.results.files import write_whole
from harness.results.record import BootLine
from harness.results.store import Run

__all__ = ["KnownReport", "apply_known", "features_in", "knower"]


@dataclass(frozen=True, slots=True)
class KnownReport:
    """Hold what the known issues say of a run; ``expired`` has a sentence for each entry that is too old."""

    count: KnownCount
    expired: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Tell whether the run fails for the known issues alone: one is worse than accepted, or has expired."""
        return bool(self.expired or self.count.worse)

    def sentences(self) -> list[str]:
        """Say all of it, a line each."""
        return [*self.expired, *(str(count) for count in self.count.issues if count.bad or count.worse)]

    def document(self) -> dict[str, object]:
        """Return it as JSON can hold it: ``known.json``."""
        return {
            "issues": [
                {
                    "id": count.issue.id,
                    "bad": count.bad,
                    "told": count.told,
                    "max_rate": count.issue.max_rate,
                    "worse": count.worse,
                    "expires": count.issue.expires,
                    "link": count.issue.link,
                    "note": count.issue.note,
                }
                for count in self.count.issues
            ],
            "boots": dict(self.count.of_boot),
            "expired": list(self.expired),
        }


def features_in(run: Run, issues: Sequence[KnownIssue]) -> Callable[[BootLine], BootFeatures]:
    """Return what gathers the features of a recorded boot; its record is read only where a scope asks for it."""
    asks = any(issue.scope.flavours or issue.scope.qemu or issue.scope.kernel for issue in issues)

    def features(line: BootLine) -> BootFeatures:
        if not asks or line.folder is None:
            return features_of(line, None)
        try:
            return features_of(line, run.read_record(run.folder / line.folder))
        except InputError:  # damaged: nothing is known of it, and so nothing excused
            return features_of(line, None)

    return features


def knower(run: Run, issues: KnownIssues, today: datetime.date) -> Callable[[BootLine], str | None]:
    """Return what names the valid entry that a failed boot belongs to, whatever its rate; None: it is not known."""
    valid = issues.valid(today)
    features = features_in(run, valid)

    def known(line: BootLine) -> str | None:
        issue = issue_of(line, features(line), valid) if valid else None
        return None if issue is None else issue.id

    return known


def apply_known(
    run: Run, lines: Sequence[BootLine], issues: KnownIssues, today: datetime.date, *, watched: bool = False
) -> KnownReport:
    """Count the boots of a run by the known issues, and write ``known.json`` where there are any.

    ``watched``: the number of boots depends on what was seen of them.

    :raise HostError: if it cannot be written.
    """
    valid = issues.valid(today)
    count = count_known(lines, features_in(run, valid), valid, watched=watched)
    report = KnownReport(count, tuple(issues.expired(today)))
    if issues.entries:
        write_whole(run.folder / "known.json", json.dumps(report.document(), indent=1).encode() + b"\n")
    return report
