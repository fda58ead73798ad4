"""Keep an index over all runs in SQLite, so that a question about a hundred nights takes no hundred reads.

``results/history.sqlite`` is derived from the runs and can be deleted at any time: what is missing, grew or is damaged
is read again. The truth stays in ``boots.jsonl``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness.checks.base import Status
from harness.errors import HostError
from harness.evidence.startup import phases
from harness.history.measure import Measures, write_measures
from harness.history.recorded import RecordedRun, read_run
from harness.history.tally import kind_of
from harness.results.store import Run

__all__ = ["INDEX", "open_index", "run_folders"]

#: The file's name under ``results/``.
INDEX = "history.sqlite"
# Raised with every change of the tables: an index of another number is made anew.
_VERSION = 1
_TABLES = """
CREATE TABLE runs(name TEXT PRIMARY KEY, started_utc TEXT NOT NULL, harness TEXT NOT NULL, host TEXT NOT NULL,
                  peeks INTEGER NOT NULL, size_bytes INTEGER NOT NULL);
CREATE TABLE boots(run TEXT NOT NULL, number INTEGER NOT NULL, folder TEXT, scenario TEXT NOT NULL,
                   variant TEXT NOT NULL, grade TEXT NOT NULL, status TEXT NOT NULL, kind TEXT NOT NULL,
                   PRIMARY KEY(run, number)) WITHOUT ROWID;
CREATE INDEX boots_by_series ON boots(scenario, grade, run);
CREATE TABLE numbers(run TEXT NOT NULL, scenario TEXT NOT NULL, grade TEXT NOT NULL, sort TEXT NOT NULL,
                     name TEXT NOT NULL, value REAL NOT NULL);
CREATE INDEX numbers_by_series ON numbers(scenario, grade, sort, name, run);
"""
_WAIT_S = 30.0


@contextmanager
def open_index(
    results: Path, *, measure: bool = True, report: Callable[[str], None] = lambda _: None
) -> Iterator[sqlite3.Connection]:
    """Yield the index of ``results``, brought up to date: every run as it is on the disk, none that is gone.

    ``measure``: read the logs of boots that were never measured, and keep what they show. ``report`` is told of each
    run that is read. Several processes may do so at the same time.

    :raise InputError: if a run's lines were written by another version of the harness.
    :raise HostError: if the index cannot be written.
    """
    path = results / INDEX
    try:
        with closing(_connect(path)) as connection:
            _refresh(connection, results, measure, report)
            yield connection
    except sqlite3.Error as error:
        raise HostError(f"{path}: {error}; delete it, it is made again from the runs") from error


def run_folders(results: Path) -> list[Path]:
    """Return the folders of all runs, the oldest first."""
    return sorted(path.parent for path in results.glob("*/run.json") if not path.parent.is_symlink())


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        # No database, or a damaged one: nothing is lost with it.
        connection.close()
        path.unlink()
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        version = 0
    # The lock is taken before the version is looked at again: another process may be making the tables just now.
    if version != _VERSION:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f'DROP TABLE "{table}"')
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    return connection


def _refresh(connection: sqlite3.Connection, results: Path, measure: bool, report: Callable[[str], None]) -> None:
    known = dict(connection.execute("SELECT name, size_bytes FROM runs").fetchall())
    folders = {folder.name: folder for folder in run_folders(results)}
    changed = [name for name, folder in folders.items() if known.get(name) != _size_bytes(folder, measure)]
    gone = known.keys() - folders.keys()
    for name in changed:
        report(name)
        run = read_run(Run(folders[name]))
        names = [line.folder for line in run.lines if line.folder is not None]
        # Measured before the lock is taken: reading traces takes long, and others wait for the lock.
        measures = write_measures(run.run, names if measure else ())
        size_bytes = _size_bytes(folders[name], measure)
        connection.execute("BEGIN IMMEDIATE")
        _forget(connection, name)
        _insert(connection, run, size_bytes, {key: measures[key] for key in names if key in measures})
        connection.execute("COMMIT")
    if gone:
        connection.execute("BEGIN IMMEDIATE")
        for name in gone:
            _forget(connection, name)
        connection.execute("COMMIT")


def _size_bytes(folder: Path, measure: bool) -> int:
    # Both files are only ever appended to. A run that is read without being measured is read again once it matters.
    path = folder / "boots.jsonl"
    size_bytes = path.stat().st_size if path.exists() else 0
    return size_bytes if measure else -1 - size_bytes


def _forget(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM runs WHERE name = ?", (name,))
    for table in ("boots", "numbers"):
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (name,))


def _insert(connection: sqlite3.Connection, run: RecordedRun, size_bytes: int, measures: dict[str, Measures]) -> None:
    peeks = run.goal is not None and run.goal.peeks
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)",
        (run.name, run.started_utc, run.harness, run.host, int(peeks), size_bytes),
    )
    boots = []
    numbers: list[tuple[str, str, str, str, str, float]] = []
    for number, line in enumerate(run.lines):
        identity = line.identity
        kind = "" if line.status in (Status.PASS, Status.UNSUPPORTED) else kind_of(line)
        boots.append(
            (
                run.name,
                number,
                line.folder,
                identity.scenario,
                identity.variant,
                identity.platform,
                str(line.status),
                kind,
            )
        )
        found = measures.get(line.folder or "")
        if found is not None:
            key = (run.name, identity.scenario, identity.platform)
            numbers += [(*key, "phase", phase.name, phase.duration_s) for phase in phases(found.marks)]
            if found.calls and found.switches is not None:
                numbers += [
                    (*key, "switches", f"VMPL{s.from_vmpl} to VMPL{s.to_vmpl}", s.completed / found.calls)
                    for s in found.switches
                ]
    connection.executemany("INSERT INTO boots VALUES (?, ?, ?, ?, ?, ?, ?, ?)", boots)
    connection.executemany("INSERT INTO numbers VALUES (?, ?, ?, ?, ?, ?)", numbers)
