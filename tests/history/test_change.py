from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sample_results import boot_line, make_run

from harness.checks.base import Status
from harness.evidence.records import Mark
from harness.history.baseline import make_baseline
from harness.history.change import Comparison, Direction, compare_groups
from harness.history.measure import Measures, SwitchCount
from harness.history.recorded import read_run
from harness.history.tally import group_runs
from harness.results.record import BootLine

F, P, Q = Status.FAIL, Status.PASS, Status.INCONCLUSIVE


def _compare(
    tmp_path: Path, before: Sequence[BootLine], after: Sequence[BootLine], then: float = 1.0, now: float = 1.0
) -> Comparison:
    runs = [read_run(make_run(tmp_path, lines)) for lines in (before, after)]
    measures = {
        run.name: {line.folder or "": _measures(line, at + i / 1000, round(at * 9)) for i, line in enumerate(run.lines)}
        for run, at in zip(runs, (then, now), strict=True)
    }
    return compare_groups(make_baseline("main", [runs[0]], measures), group_runs([runs[1]]), measures)


def _measures(line: BootLine, ready_s: float, switches: int) -> Measures:
    counts = (SwitchCount(2, 0, 9, 0, switches),)
    return Measures(line.folder or "", (Mark("ready", ready_s),), counts, False, 9, ())


def _boots(good: int, bad: int = 0, **more: str) -> list[BootLine]:
    return [boot_line(P, **more) for _ in range(good)] + [boot_line(F, **more) for _ in range(bad)]


def _said(comparison: Comparison) -> list[tuple[Direction, str]]:
    return [(change.direction, change.what) for change in comparison.changes]


def test_nothing_changed(tmp_path: Path) -> None:
    assert _compare(tmp_path, _boots(20, 2), _boots(20, 2)).changes == ()


def test_a_new_signature_is_worse_and_says_that_two_boots_are_no_rate(tmp_path: Path) -> None:
    (change,) = _compare(tmp_path, _boots(2), _boots(1, 1)).changes
    assert change.direction is Direction.WORSE
    assert "1 of 2 boots failed, 0 of 2" in change.what
    assert "new: guest-panic: x (1)" in change.what
    assert "too few" in change.sure and "stability scenarios/calls.yaml" in change.sure
    assert change.see is not None and change.see.endswith("/2")


def test_a_rate_that_rose_is_worse_also_without_a_new_signature(tmp_path: Path) -> None:
    changes = _compare(tmp_path, _boots(59, 1), _boots(40, 20)).changes
    assert [change.direction for change in changes] == [Direction.WORSE]
    assert "p = less than 0.0001" in changes[0].sure


def test_a_rate_that_fell_and_a_signature_that_is_gone_are_better(tmp_path: Path) -> None:
    said = _said(_compare(tmp_path, _boots(40, 20), _boots(60)))
    assert [direction for direction, _ in said] == [Direction.BETTER, Direction.BETTER]
    assert "no longer seen: guest-panic: x (33% before)" in said[1][1]


def test_boots_that_tell_nothing_any_more_are_worse(tmp_path: Path) -> None:
    (change,) = _compare(tmp_path, _boots(5), [boot_line(Q)] * 5).changes
    assert change.direction is Direction.WORSE
    assert "no boot told anything" in change.what


def test_what_did_not_run_and_what_is_new(tmp_path: Path) -> None:
    said = _said(_compare(tmp_path, _boots(3, grade="tcg"), _boots(3)))
    assert said == [(Direction.GONE, "nothing ran; the baseline has 3 boots"), (Direction.NEW, said[1][1])]


def test_times_and_switches_are_compared_by_ranks(tmp_path: Path) -> None:
    said = _said(_compare(tmp_path, _boots(30), _boots(30), then=1.0, now=2.0))
    assert [direction for direction, _ in said] == [Direction.UNLIKE, Direction.UNLIKE]
    assert said[0][1].startswith("start-up to ready: median 2.0")
    assert said[1][1] == "switches VMPL2 to VMPL0 for each SVSM call: median 2, 1 in the baseline"


def test_many_scenarios_do_not_cry_wolf(tmp_path: Path) -> None:
    # 7 of 30 against 1 of 30 has p = 0.05; of 50 scenarios, that is what chance gives.
    def night(bad: int) -> list[BootLine]:
        return [
            line for n in range(50) for line in _boots(30 - bad * (n == 0) - 1, 1 + bad * (n == 0), scenario=f"s{n}")
        ]

    comparison = _compare(tmp_path, night(0), night(6))
    assert comparison.groups["s0", "model"].rate_p == 1.0
    assert comparison.changes == ()


def test_a_group_without_failures_takes_part_in_no_adjustment(tmp_path: Path) -> None:
    quiet = [line for n in range(50) for line in _boots(2, scenario=f"s{n}")]
    before, after = [*quiet, *_boots(60)], [*quiet, *_boots(48, 12)]
    p = _compare(tmp_path, before, after).groups["calls", "model"].rate_p
    assert p is not None and p < 0.001
