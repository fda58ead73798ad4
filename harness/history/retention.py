"""Decide which boots' folders may go, by age and size, and delete them; what a run showed stays.

Never deleted: ``boots.jsonl`` and ``run.json`` of any run, the first example of every kind of failure of a scenario on
a grade that is still here, the runs of a baseline, the newest run, and boots that have not come to their end. What a
boot showed is measured before its logs go, so that trends and baselines outlive them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from harness.checks.base import Status
from harness.clock import utc_now
from harness.errors import HostError
from harness.history.baseline import find_baseline, list_baselines
from harness.history.index import run_folders
from harness.history.measure import write_measures
from harness.history.recorded import RecordedRun, read_run
from harness.history.tally import kind_of
from harness.results.files import append_line, cannot_write
from harness.results.store import Run

__all__ = ["Candidate", "Retention", "delete_boots", "plan_retention"]

_DELETED = "pruned.jsonl"
# A run that is younger may still be made: nothing says that one that is no campaign has come to its end.
_YOUNG = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Be a boot's folder; ``kept`` says why it stays, empty if it may go."""

    run: Run
    folder: str
    started_utc: str
    size_bytes: int
    failed: bool
    kept: str


@dataclass(frozen=True, slots=True)
class Retention:
    """Hold the plan: what goes, and how much stays for which reason."""

    gone: tuple[Candidate, ...]
    stays: tuple[Candidate, ...]

    @property
    def gone_bytes(self) -> int:
        """Return the size of what goes."""
        return sum(candidate.size_bytes for candidate in self.gone)

    @property
    def stays_bytes(self) -> int:
        """Return the size of what stays."""
        return sum(candidate.size_bytes for candidate in self.stays)


def plan_retention(results: Path, days: float | None, largest_bytes: int | None) -> Retention:
    """Choose the boots whose folders go; nothing is deleted here.

    ``days``: those of runs that were started longer ago go. ``largest_bytes``: the oldest go, passes before failures,
    until all boots together are no larger. None: no such limit.

    :raise InputError: if a baseline or a run cannot be read: what it protects is then not known.
    """
    runs = [read_run(Run(folder)) for folder in run_folders(results)]
    candidates = _candidates(runs, _of_baselines(results))
    edge = None if days is None else utc_now() - timedelta(days=days)
    free = [candidate for candidate in candidates if not candidate.kept]
    gone = [c for c in free if edge is not None and _time(c.started_utc) < edge]
    if largest_bytes is not None:
        left_bytes = sum(candidate.size_bytes for candidate in candidates) - sum(c.size_bytes for c in gone)
        chosen = {id(candidate) for candidate in gone}
        for candidate in sorted(free, key=lambda c: (c.failed, c.started_utc, c.folder)):
            if left_bytes <= largest_bytes:
                break
            if id(candidate) not in chosen:
                gone.append(candidate)
                left_bytes -= candidate.size_bytes
    leaving = {id(candidate) for candidate in gone}
    return Retention(tuple(gone), tuple(c for c in candidates if id(c) not in leaving))


def delete_boots(gone: Sequence[Candidate]) -> int:
    """Measure the boots and delete their folders; return the bytes that were freed.

    A run whose campaign is being made just now is passed over. Each deletion is recorded in the run's
    ``pruned.jsonl`` before it happens, so that one that is cut short is known to be none of the harness's losses.

    :raise HostError: if something cannot be deleted; what was is recorded.
    """
    by_run: dict[Path, list[Candidate]] = {}
    for candidate in gone:
        by_run.setdefault(candidate.run.folder, []).append(candidate)
    freed_bytes = 0
    for folder, candidates in by_run.items():
        lock = FileLock(folder / ".campaign.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        try:
            write_measures(Run(folder), [candidate.folder for candidate in candidates])
            freed_bytes += sum(_delete(candidate) for candidate in candidates)
        finally:
            lock.release()
    return freed_bytes


def _delete(candidate: Candidate) -> int:
    entry = {
        "folder": candidate.folder,
        "at_utc": utc_now().isoformat(timespec="seconds"),
        "size_bytes": candidate.size_bytes,
    }
    append_line(candidate.run.folder / _DELETED, json.dumps(entry).encode())
    path = candidate.run.folder / candidate.folder
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise HostError(f"cannot delete {path}: {error.strerror}") from error
    return candidate.size_bytes


def _of_baselines(results: Path) -> Mapping[str, str]:
    found = {}
    for name in list_baselines(results):
        baseline = find_baseline(results, name)
        for run in baseline.runs if baseline is not None else ():
            found[run] = name
    return found


def _candidates(runs: Sequence[RecordedRun], of_baselines: Mapping[str, str]) -> list[Candidate]:
    ordered = sorted(runs, key=lambda run: (run.started_utc, run.name))
    newest = ordered[-1].name if ordered else None
    seen: set[tuple[str, str, str]] = set()
    found = []
    for run in ordered:
        ended = {line.folder: line for line in run.lines if line.folder is not None}
        paths = [path for path in sorted((run.run.folder / "boots").glob("[0-9]*")) if path.is_dir()]
        for path in paths:
            folder = f"boots/{path.name}"
            line = ended.get(folder)
            kept = ""
            if line is None:
                kept = "it never came to its end" if _time(run.started_utc) > utc_now() - _YOUNG else ""
            elif line.status not in (Status.PASS, Status.UNSUPPORTED):
                key = (line.identity.scenario, line.identity.platform, kind_of(line))
                kept = "" if key in seen else "the first of its kind of failure"
                seen.add(key)
            if run.name in of_baselines:
                kept = f"of the baseline {of_baselines[run.name]}"
            elif run.goal is not None and path == paths[-1]:
                # A campaign can be resumed and extended; its next boot is numbered after the last folder.
                kept = kept or "the last of a campaign"
            elif run.name == newest:
                kept = kept or "of the newest run"
            failed = line is not None and line.status is not Status.PASS
            found.append(Candidate(run.run, folder, run.started_utc, _size_bytes(path), failed, kept))
    return found


def _size_bytes(folder: Path) -> int:
    # What the disk holds: a trace with holes is smaller than its length.
    try:
        return sum(path.lstat().st_blocks * 512 for path in [folder, *folder.rglob("*")])
    except OSError as error:
        raise cannot_write(folder, error) from error


def _time(utc: str) -> datetime:
    # A run whose start is unknown is taken for new, and stays.
    try:
        found = datetime.fromisoformat(utc)
    except ValueError:
        return utc_now()
    return found if found.tzinfo is not None else utc_now()
