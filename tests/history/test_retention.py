from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from sample_results import ABOUT, add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.clock import utc_now
from harness.errors import InputError
from harness.history.baseline import make_baseline, write_baseline
from harness.history.index import open_index
from harness.history.recorded import read_run
from harness.history.retention import Retention, delete_boots, plan_retention
from harness.history.trend import read_trends
from harness.results.store import Run

F, P, Q = Status.FAIL, Status.PASS, Status.INCONCLUSIVE


def _run(results: Path, days_ago: float, *lines: tuple[Status, str], console: bytes = b"x\n") -> Run:
    started = (utc_now() - timedelta(days=days_ago)).isoformat(timespec="seconds")
    run = make_run(results, [], {**ABOUT, "started_utc": started})
    for status, signature in lines:
        add_boot(run, boot_line(status, signature=signature), console=console)
    return run


def _gone(plan: Retention) -> set[str]:
    return {f"{candidate.run.folder.name}/{candidate.folder}" for candidate in plan.gone}


def _of(run: Run, *numbers: int) -> set[str]:
    return {f"{run.folder.name}/boots/{number:04}" for number in numbers}


def test_old_boots_go_and_the_first_of_each_kind_of_failure_stays(tmp_path: Path) -> None:
    oldest = _run(tmp_path, 60, (P, ""), (F, "a"), (F, "a"), (Q, ""))
    older = _run(tmp_path, 50, (F, "a"), (F, "b"), (P, ""))
    _run(tmp_path, 1, (P, ""))
    plan = plan_retention(tmp_path, 30, None)
    assert _gone(plan) == _of(oldest, 1, 3) | _of(older, 1, 3)
    assert {c.folder: c.kept for c in plan.stays if c.run.folder == older.folder} == {
        "boots/0002": "the first of its kind of failure"
    }


def test_nothing_goes_by_itself(tmp_path: Path) -> None:
    _run(tmp_path, 900, (P, ""))
    _run(tmp_path, 800, (P, ""))
    assert _gone(plan_retention(tmp_path, None, None)) == set()
    assert _gone(plan_retention(tmp_path, 1000, None)) == set()


def test_baselines_the_newest_run_and_boots_without_an_end_stay(tmp_path: Path) -> None:
    kept = _run(tmp_path, 60, (P, ""))
    write_baseline(tmp_path, make_baseline("main", [read_run(kept)], {}))
    crashed = _run(tmp_path, 60, (P, ""))
    (crashed.folder / "boots" / "0002").mkdir()
    newest = _run(tmp_path, 40, (P, ""))
    (newest.folder / "boots" / "0002").mkdir()
    plan = plan_retention(tmp_path, 0, 0)
    assert _gone(plan) == _of(crashed, 1, 2)  # a boot that was cut off 60 days ago does not run any more
    assert {c.kept for c in plan.stays} == {"of the baseline main", "of the newest run"}


def test_to_a_size_the_oldest_passes_go_first(tmp_path: Path) -> None:
    first = _run(tmp_path, 9, (F, "a"), (F, "a"), (P, ""), console=b"x" * 400_000)
    second = _run(tmp_path, 5, (P, ""), (P, ""), console=b"x" * 400_000)
    _run(tmp_path, 1, (P, ""))
    assert _gone(plan_retention(tmp_path, None, 1_500_000)) == _of(first, 3) | _of(second, 1)
    assert _gone(plan_retention(tmp_path, None, 1 << 40)) == set()
    everything = plan_retention(tmp_path, None, 0)
    assert _gone(everything) == _of(first, 2, 3) | _of(second, 1, 2)


def test_what_a_boot_showed_outlives_its_logs(tmp_path: Path) -> None:
    run = _run(tmp_path, 60, (P, ""), (F, "a"), (F, "a"))
    _run(tmp_path, 1, (P, ""))

    def trends() -> object:
        with open_index(tmp_path) as index:
            return read_trends(index)

    before = trends()
    plan = plan_retention(tmp_path, 30, None)
    freed_bytes = delete_boots(plan.gone)
    assert freed_bytes == plan.gone_bytes > 0
    assert [path.name for path in sorted((run.folder / "boots").iterdir())] == ["0002"]
    (tmp_path / "history.sqlite").unlink()
    assert trends() == before
    rows = [json.loads(row) for row in (run.folder / "pruned.jsonl").read_text().splitlines()]
    assert [row["folder"] for row in rows] == ["boots/0001", "boots/0003"]
    assert plan_retention(tmp_path, 30, None).gone == ()


def test_a_campaign_that_goes_on_gives_no_number_twice(tmp_path: Path) -> None:
    run = _run(tmp_path, 60, (P, ""), (P, ""))
    _run(tmp_path, 1, (P, ""))
    goal = {"boots": 2, "max_failure_rate": 0.5, "confidence": 0.95}
    about = {**json.loads((run.folder / "run.json").read_bytes()), "stability": {"goal": goal, "entries": []}}
    (run.folder / "run.json").write_text(json.dumps(about))
    delete_boots(plan_retention(tmp_path, 30, None).gone)
    assert run.new_boot_folder().name == "0003"


def test_a_campaign_that_is_being_made_is_left_alone(tmp_path: Path) -> None:
    run = _run(tmp_path, 60, (P, ""))
    _run(tmp_path, 1, (P, ""))
    plan = plan_retention(tmp_path, 30, None)
    with FileLock(run.folder / ".campaign.lock"):
        assert delete_boots(plan.gone) == 0
    assert (run.folder / "boots" / "0001").exists()


def test_a_baseline_that_cannot_be_read_protects_everything(tmp_path: Path) -> None:
    _run(tmp_path, 60, (P, ""))
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "main.json").write_text("{")
    with pytest.raises(InputError, match=r"main\.json"):
        plan_retention(tmp_path, 0, None)
