from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sample_results import add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.history.index import INDEX, open_index, run_folders

F, P = Status.FAIL, Status.PASS


def _counts(
    results: Path, *, measure: bool = True, report: Callable[[str], None] = lambda _: None
) -> list[tuple[object, ...]]:
    with open_index(results, measure=measure, report=report) as index:
        return index.execute(
            "SELECT run, COUNT(*), SUM(status = 'FAIL') FROM boots GROUP BY run ORDER BY run"
        ).fetchall()


def test_runs_are_read_once_and_again_when_they_grew(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line(P), boot_line(F)])
    read: list[str] = []
    assert _counts(tmp_path, report=read.append) == [(run.folder.name, 2, 1)]
    assert _counts(tmp_path, report=read.append) == [(run.folder.name, 2, 1)]
    add_boot(run, boot_line(F))
    assert _counts(tmp_path, report=read.append) == [(run.folder.name, 3, 2)]
    assert read == [run.folder.name] * 2


def test_a_run_that_is_gone_is_gone(tmp_path: Path) -> None:
    run, other = (make_run(tmp_path, [boot_line()]) for _ in range(2))
    assert len(_counts(tmp_path)) == 2
    shutil.rmtree(run.folder)
    assert _counts(tmp_path) == [(other.folder.name, 1, 0)]
    assert [folder.name for folder in run_folders(tmp_path)] == [other.folder.name]  # and `latest` is none


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\x00" + b"\xff" * 5000, None, b""])
def test_the_index_is_made_again_from_the_runs(tmp_path: Path, damage: bytes | None) -> None:
    make_run(tmp_path, [boot_line(F)])
    before = _counts(tmp_path)
    if damage is None:
        (tmp_path / INDEX).unlink()
    else:
        (tmp_path / INDEX).write_bytes(damage)
    assert _counts(tmp_path) == before


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    make_run(tmp_path, [boot_line(F)])
    with sqlite3.connect(tmp_path / INDEX) as old:
        old.execute("CREATE TABLE runs(something_else)")
        old.execute("PRAGMA user_version = 99")
    assert len(_counts(tmp_path)) == 1


def test_numbers_are_measured_when_they_are_asked_for(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line()])
    _counts(tmp_path, measure=False)
    assert not (run.folder / "measures.jsonl").exists()
    with open_index(tmp_path) as index:
        rows = index.execute("SELECT sort, name, value FROM numbers ORDER BY name").fetchall()
    assert rows == [("phase", "kernel", 0.5), ("phase", "ready", 0.5)]


def test_several_at_once(tmp_path: Path) -> None:
    for _ in range(6):
        make_run(tmp_path, [boot_line(F), boot_line(P)])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _counts(tmp_path), range(4)))
    assert all(len(answer) == 6 for answer in answers)
    assert _counts(tmp_path) == answers[0]
