"""Follow each scenario on each grade over its nights: rates, times, switches, signatures, and where they changed.

A night is a run. A change point has a confidence and no threshold: how rarely chance alone makes a cut as clear, after
all series that were looked at (:mod:`harness.stats.changepoint`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness.checks.base import Status
from harness.history.tally import CONFIDENCE, rank_of
from harness.stats.anytime import anytime_interval
from harness.stats.binomial import exact_interval
from harness.stats.changepoint import ChangePoint, holm, rate_change, time_change

__all__ = ["Night", "NumberSeries", "Series", "Signature", "Trends", "read_trends"]


@dataclass(frozen=True, slots=True)
class Night:
    """Count one run's boots of a series; ``interval`` holds the failure rate with 95% confidence."""

    run: str
    started_utc: str
    bad: int
    told: int
    lost: int
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """Hold the median of each night of one phase of start-up (``phase``, seconds) or one direction (``switches``).

    ``nights`` are the runs' names. ``change`` is None where nothing could show one; its p is adjusted.
    """

    sort: str
    name: str
    nights: tuple[str, ...]
    medians: tuple[float, ...]
    change: ChangePoint | None


@dataclass(frozen=True, slots=True)
class Signature:
    """Say when a kind of failure was first and last seen, as runs, and in how many boots and nights."""

    scenario: str
    grade: str
    kind: str
    first: str
    first_utc: str
    first_folder: str | None
    last: str
    last_utc: str
    boots: int
    nights: int


@dataclass(frozen=True, slots=True)
class Series:
    """Hold one scenario on one grade over its nights, the oldest first."""

    scenario: str
    grade: str
    nights: tuple[Night, ...]
    change: ChangePoint | None
    numbers: tuple[NumberSeries, ...]


@dataclass(frozen=True, slots=True)
class Trends:
    """Hold all series, and all signatures, those seen last first. ``looked_at`` counts the series that could change."""

    series: tuple[Series, ...]
    signatures: tuple[Signature, ...]
    looked_at: int


def read_trends(index: sqlite3.Connection, only: Sequence[str] = ()) -> Trends:
    """Read the trends of the scenarios ``only`` (empty: of all)."""
    found = [
        series
        for scenario, grade in index.execute("SELECT DISTINCT scenario, grade FROM boots ORDER BY scenario").fetchall()
        if not only or scenario in only
        for series in [_series(index, scenario, grade)]
        if series.nights
    ]
    found.sort(key=lambda series: (-rank_of(series.grade), series.scenario))
    changes = [change for series in found for change in (series.change, *(n.change for n in series.numbers))]
    adjusted = iter(holm([change.p for change in changes if change is not None]))

    def adjust(change: ChangePoint | None) -> ChangePoint | None:
        return None if change is None else replace(change, p=next(adjusted))

    series = []
    for each in found:
        change = adjust(each.change)
        numbers = tuple(replace(number, change=adjust(number.change)) for number in each.numbers)
        series.append(replace(each, change=change, numbers=numbers))
    looked_at = sum(change is not None for change in changes)
    return Trends(tuple(series), _signatures(index, only), looked_at)


def _series(index: sqlite3.Connection, scenario: str, grade: str) -> Series:
    rows = index.execute(
        "SELECT runs.name, runs.started_utc, runs.peeks, SUM(status = ?), SUM(status = ?), SUM(status IN (?, ?))"
        " FROM boots JOIN runs ON runs.name = boots.run WHERE scenario = ? AND grade = ?"
        " GROUP BY runs.name ORDER BY runs.started_utc, runs.name",
        (Status.FAIL, Status.PASS, Status.ERROR, Status.INCONCLUSIVE, scenario, grade),
    ).fetchall()
    nights = tuple(
        Night(run, at, bad, bad + good, lost, _interval(bad, bad + good, bool(peeks)))
        for run, at, peeks, bad, good, lost in rows
        if bad + good + lost
    )
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for sort, name, run, value in index.execute(
        "SELECT sort, name, run, value FROM numbers WHERE scenario = ? AND grade = ?", (scenario, grade)
    ):
        values.setdefault((sort, name), {}).setdefault(run, []).append(value)
    numbers = []
    for (sort, name), by_run in sorted(values.items()):
        runs = tuple(night.run for night in nights if night.run in by_run)
        medians = tuple(median(by_run[run]) for run in runs)
        numbers.append(NumberSeries(sort, name, runs, medians, time_change(medians)))
    change = rate_change([(night.bad, night.told) for night in nights])
    return Series(scenario, grade, nights, change, tuple(numbers))


def _interval(bad: int, told: int, peeks: bool) -> tuple[float, float]:
    return (anytime_interval if peeks else exact_interval)(bad, told, CONFIDENCE)


def _signatures(index: sqlite3.Connection, only: Sequence[str]) -> tuple[Signature, ...]:
    found: dict[tuple[str, str, str], Signature] = {}
    rows = index.execute(
        "SELECT scenario, grade, kind, runs.name, runs.started_utc, COUNT(*), MIN(folder)"
        " FROM boots JOIN runs ON runs.name = boots.run WHERE kind != ''"
        " GROUP BY scenario, grade, kind, runs.name ORDER BY runs.started_utc, runs.name"
    )
    for scenario, grade, kind, run, at, boots, folder in rows:
        if only and scenario not in only:
            continue
        before = found.get((scenario, grade, kind))
        found[scenario, grade, kind] = (
            Signature(scenario, grade, kind, run, at, folder, run, at, boots, 1)
            if before is None
            else replace(before, last=run, last_utc=at, boots=before.boots + boots, nights=before.nights + 1)
        )
    return tuple(sorted(found.values(), key=lambda signature: (signature.last_utc, signature.boots), reverse=True))
