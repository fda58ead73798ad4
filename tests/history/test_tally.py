from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sample_results import boot_line, make_run

from harness.checks.base import Status
from harness.history.recorded import Known, RecordedRun, read_run
from harness.history.tally import group_runs, kind_of, rank_of
from harness.stability.goal import Goal

F, P, Q, E, U = Status.FAIL, Status.PASS, Status.INCONCLUSIVE, Status.ERROR, Status.UNSUPPORTED


def _run(tmp_path: Path, *statuses: Status, goal: Goal | None = None, grade: str = "model") -> RecordedRun:
    lines = [boot_line(status, turn=turn, grade=grade) for turn, status in enumerate(statuses, start=1)]
    return replace(read_run(make_run(tmp_path, lines)), goal=goal)


@pytest.mark.parametrize(
    ("statuses", "verdict", "counts"),
    [
        ((P, P), P, (2, 0, 0, 0)),
        ((P, F), F, (1, 1, 0, 0)),
        ((P, Q), Q, (1, 0, 1, 0)),
        ((P, E, Q), E, (1, 0, 2, 0)),
        ((U,), U, (0, 0, 0, 1)),
        ((U, P), P, (1, 0, 0, 1)),
    ],
)
def test_counts_and_verdict(
    tmp_path: Path, statuses: tuple[Status, ...], verdict: Status, counts: tuple[int, ...]
) -> None:
    (group,) = group_runs([_run(tmp_path, *statuses)])
    assert group.verdict is verdict
    assert (group.good, group.bad, group.lost, group.unsupported) == counts


def test_a_campaign_is_judged_by_its_own_goal(tmp_path: Path) -> None:
    goal = Goal(100, 0.5, 0.95)
    (group,) = group_runs([_run(tmp_path, F, *[P] * 99, goal=goal)])
    assert (group.verdict, group.bad) == (P, 1)
    assert "below 50%" in group.why
    (strict,) = group_runs([_run(tmp_path, F, *[P] * 99, goal=Goal(100, None, 0.95))])
    assert strict.verdict is F
    (cut,) = group_runs([_run(tmp_path, *[P] * 3, goal=Goal(100, 0.01, 0.95))])
    assert (cut.verdict, "3 of 100 boots made" in cut.why) == (Q, True)


def test_the_interval_is_the_one_that_holds(tmp_path: Path) -> None:
    (exact,) = group_runs([_run(tmp_path, *[P] * 60)])
    (watched,) = group_runs([_run(tmp_path, *[P] * 60, goal=Goal(60, 0.05, 0.95, sequential=True))])
    assert exact.exact and not watched.exact
    assert exact.interval == pytest.approx((0, 0.0596), abs=1e-4)
    assert watched.interval[1] > exact.interval[1]


def test_grades_are_never_added(tmp_path: Path) -> None:
    groups = group_runs([_run(tmp_path, P, P), _run(tmp_path, P, grade="tcg"), _run(tmp_path, F, grade="kvm")])
    assert [(group.grade, group.told) for group in groups] == [("kvm", 1), ("tcg", 1), ("model", 2)]
    assert rank_of("svsm") > rank_of("model") > rank_of("of tomorrow") == -1


def test_kinds_are_failures_first_and_the_most_frequent_first(tmp_path: Path) -> None:
    lines = [
        boot_line(Q, reason="lost 12 events"),
        boot_line(F, signature="rare"),
        boot_line(F, signature="often"),
        boot_line(F, signature="often"),
        boot_line(P),
    ]
    (group,) = group_runs([read_run(make_run(tmp_path, lines))])
    assert [(kind.signature, kind.boots) for kind in group.kinds()][:2] == [("often", 2), ("rare", 1)]
    assert group.kinds()[0].first.name == f"{group.boots[0].run}/3"
    assert group.kinds()[2].status is Q


def test_reasons_that_differ_in_numbers_are_one_kind() -> None:
    one, other = (boot_line(E, reason=f"host: pid {number} died after {number} s") for number in (1, 77))
    assert kind_of(one) == kind_of(other)
    assert kind_of(boot_line(F, signature="guest-panic: y")) == "guest-panic: y"


def test_a_known_failure_is_a_failure_and_no_reason_for_a_verdict(tmp_path: Path) -> None:
    run = _run(tmp_path, F, F, P)
    excused = {"boots/0001": "cx16"}
    (one,) = group_runs([_known(run, excused)])
    assert (one.verdict, one.bad, one.known) == (F, 2, 1)
    (all_known,) = group_runs([_known(run, {**excused, "boots/0002": "cx16"})])
    assert (all_known.verdict, all_known.bad, all_known.known) == (P, 2, 2)
    assert all_known.kinds()[0].known == "cx16"
    assert all_known.interval == one.interval  # the rate is what was seen
    goal = Goal(3, None, 0.95)
    (campaign,) = group_runs([_known(_run(tmp_path, F, P, P, goal=goal), excused)])
    assert (campaign.verdict, campaign.known) == (P, 1)


def _known(run: RecordedRun, of_boot: dict[str, str]) -> RecordedRun:
    return replace(run, known=Known(of_boot=of_boot))
