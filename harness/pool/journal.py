"""Keep what became of each job, a line at a time on the disk, so that a pool whose controller died goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from harness.results.files import append_line

__all__ = ["Attempt", "End", "append_attempt", "done_jobs", "next_attempt", "read_journal", "unfinished"]


class End(StrEnum):
    """Say how an attempt ended; a job is done by the first that is DONE."""

    #: It began; the last word on it if nothing follows.
    BEGUN = "begun"
    #: It came to its end, whatever it found.
    DONE = "done"
    #: Its host, its worker or its controller went away: INCONCLUSIVE, and made again as a new attempt.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Be one line: attempt ``number`` (from 1) of a job on a host, under the lease with this ``fence``.

    ``status`` is the command's exit status, None where nobody saw it; ``run`` the folder it recorded into, if known.
    """

    job: str
    number: int
    end: End
    host: str
    fence: int
    status: int | None = None
    run: str | None = None
    why: str = ""


def append_attempt(path: Path, attempt: Attempt) -> None:
    """Append a line; when this returns, it is on the disk.

    :raise HostError: if it cannot be written.
    """
    append_line(path, json.dumps(asdict(attempt)).encode())


def read_journal(path: Path) -> tuple[Attempt, ...]:
    """Return all whole lines, in their order; one that a crash cut short is passed over. No file has none."""
    found = []
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            row = json.loads(line)
            found.append(Attempt(**{**row, "end": End(row["end"])}))
        except (ValueError, TypeError, KeyError):
            continue
    return tuple(found)


def done_jobs(attempts: Iterable[Attempt]) -> Mapping[str, Attempt]:
    """Return the attempt that did each job that is done: the first that says so, and no other."""
    found: dict[str, Attempt] = {}
    for attempt in attempts:
        if attempt.end is End.DONE:
            found.setdefault(attempt.job, attempt)
    return found


def unfinished(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """Return the attempts that began and have no end: whoever made them died before it could say so."""
    begun: dict[tuple[str, int], Attempt] = {}
    for attempt in attempts:
        if attempt.end is End.BEGUN:
            begun[attempt.job, attempt.number] = attempt
        else:
            begun.pop((attempt.job, attempt.number), None)
    return tuple(begun.values())


def next_attempt(attempts: Iterable[Attempt], job: str) -> int:
    """Return the number of the job's next attempt, from 1."""
    return 1 + max((attempt.number for attempt in attempts if attempt.job == job), default=0)
