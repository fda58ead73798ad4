from __future__ import annotations

import datetime
import json
from pathlib import Path

from results.sample_record import RECORD, write_folder
from sample_campaign import boot_line, lines_of

from harness.checks.base import Status
from harness.known.apply import apply_known, knower
from harness.known.entries import KnownIssues, Scope
from harness.results.store import Run, create_run

from .sample_issues import issue

TODAY = datetime.date(2026, 12, 1)


def _run(tmp_path: Path, boots: int = 0) -> Run:
    run = create_run(tmp_path, {})
    for _ in range(boots):
        folder = run.new_boot_folder()
        write_folder(folder)
        run.write_record(folder, RECORD)
    return run


def test_what_was_excused_is_in_the_runs_folder(tmp_path: Path) -> None:
    run = _run(tmp_path)
    report = apply_known(run, lines_of("F..."), KnownIssues("k.yaml", (issue(),), (3,)), TODAY)
    assert (report.fails, len(report.sentences())) == (False, 1)
    written = json.loads((run.folder / "known.json").read_bytes())
    assert written["boots"] == {"boots/0001": "panic-x"}
    assert (written["issues"][0]["bad"], written["issues"][0]["told"]) == (1, 4)


def test_an_expired_entry_fails_the_run_and_excuses_nothing(tmp_path: Path) -> None:
    issues = KnownIssues("k.yaml", (issue(expires="2026-11-30"),), (3,))
    report = apply_known(_run(tmp_path), lines_of("...."), issues, TODAY)
    assert report.fails
    assert report.sentences()[0].startswith("k.yaml:3: the known issue panic-x expired on 2026-11-30")
    assert knower(_run(tmp_path / "b"), issues, TODAY)(boot_line(1, Status.FAIL)) is None


def test_without_entries_nothing_is_written(tmp_path: Path) -> None:
    run = _run(tmp_path)
    assert not apply_known(run, lines_of("F"), KnownIssues("k.yaml", (), ()), TODAY).fails
    assert not (run.folder / "known.json").exists()


def test_records_are_read_where_a_scope_asks_for_them(tmp_path: Path) -> None:
    run = _run(tmp_path, boots=1)
    issues = KnownIssues("k.yaml", (issue(scope=Scope(qemu=("7.2.*",))),), (3,))
    known = knower(run, issues, TODAY)
    assert known(boot_line(1, Status.FAIL)) == "panic-x"
    assert known(boot_line(9, Status.FAIL)) is None  # its record is gone
