from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sample_results import ABOUT, add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.history.index import open_index
from harness.history.trend import Trends, read_trends

F, P, Q, U = Status.FAIL, Status.PASS, Status.INCONCLUSIVE, Status.UNSUPPORTED


def _night(results: Path, day: int, good: int, bad: int = 0, **more: str) -> str:
    lines = [boot_line(P, **more) for _ in range(good)] + [boot_line(F, **more) for _ in range(bad)]
    return make_run(results, lines, {**ABOUT, "started_utc": f"2026-11-{day:02}T01:00:00+00:00"}).folder.name


def _trends(results: Path, only: Sequence[str] = ()) -> Trends:
    with open_index(results) as index:
        return read_trends(index, only)


def test_a_rate_that_rises_is_found_at_its_night(tmp_path: Path) -> None:
    runs = [_night(tmp_path, day, 30, 0 if day < 6 else 6) for day in range(1, 9)]
    (series,) = _trends(tmp_path).series
    assert [night.run for night in series.nights] == runs
    assert series.nights[-1].interval[0] > 0.05
    assert series.change is not None
    assert (series.change.index, series.change.before) == (5, 0.0)
    assert series.change.confidence > 0.99


def test_every_series_that_is_looked_at_is_allowed_for(tmp_path: Path) -> None:
    for day in range(1, 5):
        _night(tmp_path, day, 10, 1 if day == 4 else 0, scenario="a")
        _night(tmp_path, day, 10, 1 if day == 2 else 0, scenario="b")
    trends = _trends(tmp_path)
    alone = _trends(tmp_path, ["a"])
    assert (trends.looked_at, alone.looked_at) == (2, 1)
    both, one = trends.series[0].change, alone.series[0].change
    assert both is not None and one is not None and both.p >= one.p


def test_times_and_the_grade_are_kept_apart(tmp_path: Path) -> None:
    for day in range(1, 8):
        run = make_run(tmp_path, [], {**ABOUT, "started_utc": f"2026-11-{day:02}T01:00:00+00:00"})
        for grade in ("model", "tcg"):
            add_boot(run, boot_line(P, grade=grade), slower_s=day / 100 + (2.0 if grade == "tcg" and day > 3 else 0))
    tcg, model = _trends(tmp_path).series
    assert (tcg.grade, model.grade) == ("tcg", "model")
    (ready,) = (number for number in tcg.numbers if number.name == "ready")
    assert ready.change is not None and ready.change.index == 3
    assert round(ready.change.after - ready.change.before) == 2


def test_signatures_are_seen_first_and_last(tmp_path: Path) -> None:
    first = _night(tmp_path, 1, 3, 2, signature="old")
    last = _night(tmp_path, 2, 3, 1, signature="old")
    fresh = _night(tmp_path, 3, 3, 1, signature="fresh")
    found = {signature.kind: signature for signature in _trends(tmp_path).signatures}
    assert (found["old"].first, found["old"].last, found["old"].boots, found["old"].nights) == (first, last, 3, 2)
    assert (found["fresh"].first, found["fresh"].first_folder) == (fresh, "boots/0004")
    assert _trends(tmp_path, ["other"]).signatures == ()


def test_boots_that_told_nothing_are_seen_and_do_not_count(tmp_path: Path) -> None:
    make_run(tmp_path, [boot_line(P), boot_line(Q), boot_line(U)])
    make_run(tmp_path, [boot_line(U)])
    (series,) = _trends(tmp_path).series
    (night,) = series.nights
    assert (night.bad, night.told, night.lost) == (0, 1, 1)
    assert series.change is None
