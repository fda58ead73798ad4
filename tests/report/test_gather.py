from __future__ import annotations

from pathlib import Path

import pytest
from sample_results import add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.errors import InputError
from harness.history.baseline import make_baseline
from harness.history.recorded import read_run
from harness.report.gather import gather

F, P, U = Status.FAIL, Status.PASS, Status.UNSUPPORTED


def test_what_went_wrong_comes_first(tmp_path: Path) -> None:
    lines = [
        boot_line(P, scenario="a", grade="kvm"),
        boot_line(F, scenario="b"),
        boot_line(P, scenario="b", variant="[v=1]"),
    ]
    night = gather([read_run(make_run(tmp_path, lines))], None)
    assert night.status is F
    assert [(section.group.scenario, section.group.verdict) for section in night.sections] == [("b", F), ("a", P)]
    section = night.sections[0]
    assert [(row.variant, row.status, row.bad) for row in section.variants] == [("b", F, 1), ("b[v=1]", P, 0)]
    assert section.failures[0].example is not None
    assert section.failures[0].new is False  # without a baseline nothing is known to be new
    assert ("accelerator", ("tcg",)) in section.made_of
    assert [name for name, _ in section.phases] == ["kernel", "ready"]
    assert section.variants[0].rows[0].expected == "from: 2, to: 0, count: 10"
    assert night.changes == ()


def test_what_is_new_since_the_baseline_is_marked(tmp_path: Path) -> None:
    before = read_run(make_run(tmp_path, [boot_line(P), boot_line(F, signature="old")]))
    after = read_run(make_run(tmp_path, [boot_line(F, signature="old"), boot_line(F, signature="fresh")]))
    night = gather([after], make_baseline("main", [before], {}))
    assert [(failure.kind.signature, failure.new) for failure in night.sections[0].failures] == [
        ("old", False),
        ("fresh", True),
    ]
    assert night.changes[0].direction == "worse"


def test_a_large_campaign_is_sampled_and_its_kinds_are_not_all_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line(F, signature=f"kind {number}") for number in range(200)])
    (section,) = gather([read_run(run)], None).sections
    assert 60 <= section.measured <= 61
    assert len(section.failures) == 200
    assert sum(failure.example is not None for failure in section.failures) == 12


def test_boots_that_were_never_made_are_counted_and_not_read(tmp_path: Path) -> None:
    run = make_run(tmp_path, [])
    run.append(boot_line(U))
    add_boot(run, boot_line(P))
    (section,) = gather([read_run(run)], None).sections
    assert (section.group.unsupported, section.group.told, section.measured) == (1, 1, 1)


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to report"):
        gather([read_run(make_run(tmp_path, []))], None)
