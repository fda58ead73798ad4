from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from sample_results import boot_line, make_run

from harness.checks.base import Status
from harness.cli.report import read_runs
from harness.errors import InputError

from .command import Done


def _command(program: Path, folder: Path, *words: str) -> Done:
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False, env=os.environ)
    return Done(done.returncode, done.stdout, done.stderr)


def _runs(tmp_path: Path, *nights: Sequence[Status]) -> list[str]:
    return [make_run(tmp_path / "results", [boot_line(status) for status in night]).folder.name for night in nights]


def test_the_page_is_written_beside_the_run_and_named(program: Path, tmp_path: Path) -> None:
    (run,) = _runs(tmp_path, [Status.FAIL])
    done = _command(program, tmp_path, "report")
    assert (done.status, done.out) == (0, f"page: results/{run}/report.html\n")
    assert "guest-panic: x" in (tmp_path / "results" / run / "report.html").read_text()


def test_no_such_run_and_no_such_baseline(program: Path, tmp_path: Path) -> None:
    _runs(tmp_path, [Status.PASS])
    done = _command(program, tmp_path, "report", "nothing")
    assert (done.status, "there is no run nothing" in done.err) == (2, True)
    done = _command(program, tmp_path, "report", "--baseline", "weekly")
    assert (done.status, "there is no baseline weekly" in done.err) == (2, True)


def test_runs_are_taken_once_and_in_order(tmp_path: Path) -> None:
    first, second = _runs(tmp_path, [Status.PASS], [Status.PASS])
    found = read_runs(tmp_path / "results", [second, first, "latest", second])
    assert {run.name for run in found} == {first, second}
    assert len(found) == 2
    with pytest.raises(InputError):
        read_runs(tmp_path / "results", ["none"])


def test_formats_go_where_they_are_read(program: Path, tmp_path: Path) -> None:
    (run,) = _runs(tmp_path, [Status.FAIL])
    done = _command(program, tmp_path, "report", "--text", "--junit")
    assert done.status == 0
    assert "svsm-harness: FAIL" in done.out
    assert f"junit: results/{run}/report.junit.xml" in done.out
    assert "<testsuites" in (tmp_path / "results" / run / "report.junit.xml").read_text()
    done = _command(program, tmp_path, "report", "--ktap", "-o", "out.ktap")
    assert (done.out, (tmp_path / "out.ktap").read_text()[:14]) == ("ktap: out.ktap\n", "KTAP version 1")
    done = _command(program, tmp_path, "report", "--ktap", "--junit", "-o", "x")
    assert (done.status, "one file" in done.err) == (2, True)
