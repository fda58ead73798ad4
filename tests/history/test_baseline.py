from __future__ import annotations

from pathlib import Path

import pytest
from sample_results import boot_line, make_run

from harness.checks.base import Status
from harness.errors import InputError
from harness.evidence.records import Mark
from harness.history.baseline import (
    find_baseline,
    list_baselines,
    make_baseline,
    phase_times_s,
    switches_per_call,
    write_baseline,
)
from harness.history.measure import Measures, SwitchCount, write_measures
from harness.history.recorded import read_run

MEASURES = Measures("b", (Mark("kernel", 1.0), Mark("ready", 3.5)), (SwitchCount(2, 0, 10, 0, 10),), False, 5, ())


def test_a_baseline_survives_being_written(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, [boot_line(), boot_line(Status.FAIL), boot_line(Status.ERROR)]))
    measures = {run.name: write_measures(run.run, [line.folder for line in run.lines if line.folder])}
    made = make_baseline("main", [run], measures)
    path = write_baseline(tmp_path, made)
    assert path == tmp_path / "baselines" / "main.json"
    assert find_baseline(tmp_path, None) == find_baseline(tmp_path, "main") == made
    group = made.find("calls", "model")
    assert group is not None
    assert (group.good, group.bad, group.lost) == (1, 1, 1)
    assert group.variants == {"calls": Status.FAIL}
    assert group.signatures["guest-panic: x"] == 1
    assert group.phases_s == {"kernel": (0.5, 0.5, 0.5), "ready": (0.5, 0.5, 0.5)}
    assert made.find("calls", "svsm") is None
    assert list_baselines(tmp_path) == ("main",)


def test_no_baseline_and_a_bad_one(tmp_path: Path) -> None:
    assert find_baseline(tmp_path, None) is None
    with pytest.raises(InputError, match=r"no baseline weekly under .*none yet"):
        find_baseline(tmp_path, "weekly")
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "main.json").write_text("{}")
    with pytest.raises(InputError, match="--set-baseline"):
        find_baseline(tmp_path, None)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 101])
def test_names_that_are_no_files_are_refused(tmp_path: Path, name: str) -> None:
    run = read_run(make_run(tmp_path, [boot_line()]))
    with pytest.raises(InputError, match="no name"):
        make_baseline(name, [run], {})


def test_nothing_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        make_baseline("main", [read_run(make_run(tmp_path, []))], {})


def test_numbers_of_boots() -> None:
    assert phase_times_s([MEASURES, MEASURES]) == {"kernel": (1.0, 1.0), "ready": (2.5, 2.5)}
    assert switches_per_call([MEASURES]) == {"VMPL2 to VMPL0": (2.0,)}


def test_a_large_run_makes_a_small_file(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, [boot_line() for _ in range(300)]))
    measures = {run.name: {line.folder or "": MEASURES for line in run.lines}}
    made = make_baseline("main", [run], measures)
    assert len(made.groups[0].phases_s["ready"]) == 40
    assert write_baseline(tmp_path, made).stat().st_size < 5000
