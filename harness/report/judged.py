"""Say what other systems count: a variant of a scenario on a grade, with one status, from one night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checks.base import Status
from harness.report.gather import Failure, Night, Section, VariantRow
from harness.units import format_rate

__all__ = ["Judged", "judged_of", "judged_sections", "rate_sentence"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Be one test for another system.

    ``name`` is the variant, or ``failure rate`` for the answer of a stability campaign, whose ``row`` is None.
    ``failure`` is the kind of failure that its shown boot is the first of, None where there is none.
    """

    section: Section
    name: str
    status: Status
    why: str
    row: VariantRow | None
    failure: Failure | None


def judged_sections(night: Night) -> Iterator[tuple[Section, tuple[Judged, ...]]]:
    """Yield every section with its tests."""
    for section in night.sections:
        yield section, judged_of(section)


def judged_of(section: Section) -> tuple[Judged, ...]:
    """Return the tests of a section: its variants, and the answer of a campaign.

    A campaign that passed accepts the failures that it counted, and a known issue those that it excuses: such variants
    pass, and say how often they failed.
    """
    group = section.group
    by_boot = {failure.kind.first.name: failure for failure in section.failures if failure.kind.first.name}
    by_kind = {str(failure.kind.status): failure for failure in reversed(section.failures)}
    accepted = group.verdict is Status.PASS
    tests = [
        Judged(
            section,
            row.variant,
            _status(row, accepted),
            row.reason,
            row,
            by_boot.get(row.shown or "") or by_kind.get(row.status),
        )
        for row in section.variants
    ]
    if group.campaign:
        why = f"{rate_sentence(section)}; {group.why.removeprefix('stability: ')}"
        tests.append(Judged(section, "failure rate", group.verdict, why, None, by_kind.get(group.verdict)))
    return tuple(tests)


def _status(row: VariantRow, accepted: bool) -> Status:
    if row.status is Status.FAIL and (accepted or row.known == row.bad):
        return Status.PASS
    return row.status


def rate_sentence(section: Section) -> str:
    """Return the failure rate with its interval, in one phrase: ``3 of 60 boots failed: 5% (95% interval …)``."""
    group = section.group
    if not group.told:
        return f"none of {len(group.boots)} boots told anything"
    low, high = group.interval
    rule = "exact" if group.exact else "anytime-valid"
    lost = f", {group.lost} told nothing" if group.lost else ""
    lost = f", {group.known} of them known{lost}" if group.known else lost
    return (
        f"{group.bad} of {group.told} boots failed: {format_rate(group.bad / group.told)} "
        f"(95% interval {format_rate(low)} to {format_rate(high)}, {rule}){lost}"
    )
