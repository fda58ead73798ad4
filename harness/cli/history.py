"""``svsm-harness history``: rates, times and signatures over all nights, where they changed, and the baselines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Format, Results
from harness.cli.report import read_runs
from harness.cli.table import columns, one_line, terminal_width
from harness.errors import InputError
from harness.history.baseline import find_baseline, list_baselines, make_baseline, write_baseline
from harness.history.index import open_index
from harness.history.measure import write_measures
from harness.history.trend import Series, Trends, read_trends
from harness.stats.changepoint import ChangePoint
from harness.units import format_duration, format_rate

__all__ = ["history"]

_MOST_SIGNATURES = 30
_MOST_NIGHTS = 30


def history(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="With --set-baseline: the runs to keep.  [default: latest]", show_default=False
        ),
    ] = None,
    results: Results = Path("results"),
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="SCENARIO", help="Night by night, of this scenario; may be repeated."),
    ] = None,
    set_baseline: Annotated[
        str | None,
        typer.Option("--set-baseline", metavar="NAME", help="Keep the runs as results/baselines/NAME.json."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure/--no-measure", help="Read the logs of boots that were never measured (once)."),
    ] = True,
    output: Format = "text",
) -> None:
    """Show how often each scenario failed over the nights, what changed when, and how sure that is.

    The index results/history.sqlite is made from the runs, and made again whenever it is missing. A change is the most
    likely cut of a series in two; its confidence is how rarely chance alone makes one as clear, all series that are
    shown allowed for.
    """
    if set_baseline is not None:
        _set_baseline(results, set_baseline, runs or ["latest"])
        return
    if runs:
        raise InputError("history looks at all runs; name a scenario by --only, or keep a run by --set-baseline NAME")
    if not results.is_dir():
        raise InputError(f"there is no folder {results}; name it with --results")

    def reading(name: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[Kreading {name}", end="", file=sys.stderr, flush=True)

    with open_index(results, measure=measure, report=reading) as index:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        trends = read_trends(index, only or [])
    if output == "json":
        print(json.dumps(asdict(trends), indent=1))
        return
    if not trends.series:
        raise InputError("no boot of such a scenario came to its end in these results")
    if only:
        for series in trends.series:
            _print_nights(series)
    else:
        _print_overview(trends.series)
    _print_changes(trends)
    _print_signatures(trends)
    kept = list_baselines(results)
    print(f"\nbaselines: {', '.join(kept) if kept else 'none; --set-baseline main RUN keeps one'}")


def _set_baseline(results: Path, name: str, names: Sequence[str]) -> None:
    runs = read_runs(results, names)
    measures = {run.name: write_measures(run.run, [line.folder for line in run.lines if line.folder]) for run in runs}
    made = make_baseline(name, runs, measures)
    existed = name in list_baselines(results) and find_baseline(results, name)
    path = write_baseline(results, made)
    boots = sum(group.good + group.bad for group in made.groups)
    print(f"baseline {name}: {boots} boots of {len(made.groups)} scenarios from {', '.join(made.runs)}")
    if existed:
        print(f"before: {', '.join(existed.runs)} of {existed.started_utc}")
    print(f"kept in {path}; git tracks it")


def _print_overview(found: Sequence[Series]) -> None:
    rows = [("scenario", "grade", "nights", "last", "failed", "rate, 95% interval", "over all nights")]
    for series in found:
        last = series.nights[-1]
        bad, told = sum(n.bad for n in series.nights), sum(n.told for n in series.nights)
        failed = f"{last.bad} of {last.told}" + (f" +{last.lost} told nothing" if last.lost else "")
        all_nights = f"{bad} of {told} failed"
        nights = str(len(series.nights))
        rows.append(
            (
                series.scenario,
                series.grade,
                nights,
                last.run,
                failed,
                _rate(last.bad, last.told, last.interval),
                all_nights,
            )
        )
    print("\n".join(columns(rows, terminal_width())))


def _print_nights(series: Series) -> None:
    shown = series.nights[-_MOST_NIGHTS:]
    numbers = [number for number in series.numbers if number.name in ("ready", "ssh") or number.sort == "switches"]
    heading = [f"{n.name}" if n.sort == "phase" else f"{n.name} a call" for n in numbers]
    rows = [("night", "boots", "failed", "rate, 95% interval", *heading, "told nothing")]
    for night in shown:
        cells = []
        for number in numbers:
            at = number.nights.index(night.run) if night.run in number.nights else None
            cells.append("" if at is None else _number(number.sort, number.medians[at]))
        rate = _rate(night.bad, night.told, night.interval)
        rows.append((night.run, str(night.told), str(night.bad), rate, *cells, str(night.lost)))
    print(f"{series.scenario} on {series.grade}: {len(series.nights)} nights")
    print("\n".join(f"  {row}" for row in columns(rows, None)))


def _print_changes(trends: Trends) -> None:
    found: list[tuple[float, str]] = []
    for series in trends.series:
        where = f"{series.scenario} on {series.grade}"
        if series.change is not None:
            before, after = format_rate(series.change.before), format_rate(series.change.after)
            night = series.nights[series.change.index].run
            found.append((series.change.p, _sentence(where, "failure rate", before, after, night, series.change)))
        for number in series.numbers:
            if number.change is not None:
                before, after = (_number(number.sort, n) for n in (number.change.before, number.change.after))
                what = f"time to {number.name}" if number.sort == "phase" else f"{number.name} a call"
                night = number.nights[number.change.index]
                found.append((number.change.p, _sentence(where, what, before, after, night, number.change)))
    likely = sorted((p, text) for p, text in found if p < 0.5)
    print(f"\nchanges ({trends.looked_at} series looked at, and allowed for):")
    for _, text in likely:
        print(f"  {text}")
    if not likely:
        print("  none that is more likely than not")


def _sentence(where: str, what: str, before: str, after: str, night: str, change: ChangePoint) -> str:
    # A confidence of 99.97% must not read 100%.
    confidence = f"{100 * change.confidence:.1f}%" if change.p >= 0.001 else f"{100 * change.confidence:.2f}%"
    return f"{confidence} sure: {where}: {what} {before} before {night}, {after} since"


def _print_signatures(trends: Trends) -> None:
    if not trends.signatures:
        print("\nno boot ever failed")
        return
    rows = [("first seen", "last seen", "nights", "boots", "grade", "scenario", "kind")]
    rows += [
        (s.first, s.last, str(s.nights), str(s.boots), s.grade, s.scenario, one_line(s.kind))
        for s in trends.signatures[:_MOST_SIGNATURES]
    ]
    print("\nkinds of failure, last seen first:")
    print("\n".join(f"  {row}" for row in columns(rows, terminal_width())))
    if len(trends.signatures) > _MOST_SIGNATURES:
        print(f"  and {len(trends.signatures) - _MOST_SIGNATURES} more; --format json has all")


def _rate(bad: int, told: int, interval: tuple[float, float]) -> str:
    if not told:
        return "unknown"
    return f"{format_rate(bad / told)} ({format_rate(interval[0])} to {format_rate(interval[1])})"


def _number(sort: str, value: float) -> str:
    return format_duration(value) if sort == "phase" else f"{value:.3g}"
