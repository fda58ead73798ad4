from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_results import add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.errors import InputError
from harness.history.baseline import make_baseline
from harness.history.recorded import read_run
from harness.report.gather import gather
from harness.report.html import render_html
from harness.report.judged import judged_of

F, P, U = Status.FAIL, Status.PASS, Status.UNSUPPORTED


def test_what_went_wrong_comes_first(tmp_path: Path) -> None:
    lines = [
        boot_line(P, scenario="a", grade="kvm"),
        boot_line(F, scenario="b"),
        boot_line(P, scenario="b", variant="[v=1]"),
        boot_line(U, scenario="0", grade="svsm"),
    ]
    night = gather([read_run(make_run(tmp_path, lines))], None)
    assert night.status is F
    found = [(section.group.scenario, section.group.verdict) for section in night.sections]
    assert found == [("b", F), ("a", P), ("0", U)]  # nobody reads past what this machine cannot run
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


@pytest.mark.parametrize(("worse", "status"), [(False, P), (True, F)])
def test_a_known_issue_excuses_as_far_as_it_was_accepted(tmp_path: Path, worse: bool, status: Status) -> None:
    run = make_run(tmp_path, [boot_line(F), boot_line(P)])
    issue = {"id": "cx16", "bad": 1, "told": 2, "worse": worse, "expires": "2027-01-01", "link": "x"}
    known = {"issues": [issue], "boots": {} if worse else {"boots/0001": "cx16"}, "expired": []}
    (run.folder / "known.json").write_text(json.dumps(known))
    night = gather([read_run(run)], None)
    assert night.status is status
    assert night.sections[0].failures[0].kind.known == (None if worse else "cx16")
    (test,) = judged_of(night.sections[0])
    assert test.status is status
    page = render_html(night)
    assert ("known issue cx16: 1 of 2 boots: more than" in page) is worse
    assert "FAIL</b>" in page or "✗</b> FAIL" in page  # the boot is shown as the failure that it is


def test_a_record_of_another_version_is_said_to_be_unread(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line(P), boot_line(P)])
    (run.folder / "boots" / "0001" / "boot.json").write_text('{"of": "another version"}')
    night = gather([read_run(run)], None)
    assert (night.sections[0].unread, night.sections[0].measured) == (1, 1)
    assert "1 records could not be read" in render_html(night)
