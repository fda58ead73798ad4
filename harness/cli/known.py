"""Share what commands do with known issues: the option, the file beside the scenarios, and the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.catalogue import KNOWN_ISSUES
from harness.checks.base import Status
from harness.cli.options import DEFAULT_SCENARIOS
from harness.known.apply import KnownReport
from harness.known.entries import KnownIssues, read_known_issues
from harness.results.record import BootLine

__all__ = ["Known", "find_known", "said_of", "statuses_of"]

Known = Annotated[
    Path | None,
    typer.Option(
        "--known",
        metavar="FILE",
        help=f"Known issues: failures in it are counted as known, up to their rate and day.  [default: "
        f"{DEFAULT_SCENARIOS / KNOWN_ISSUES}, if it is there]",
        show_default=False,
    ),
]


def find_known(option: Path | None) -> KnownIssues:
    """Read the file that was named, or the one beside the shipped scenarios; none if there is none.

    :raise ScenarioError: with every problem of it.
    :raise InputError: if it cannot be read.
    """
    path = option or DEFAULT_SCENARIOS / KNOWN_ISSUES
    if option is None and not path.exists():
        return KnownIssues(str(path), (), ())
    return read_known_issues(path)


def said_of(lines: Sequence[BootLine], known: KnownReport) -> list[BootLine]:
    """Return the lines with the known issue named in the reason of each boot that it excuses."""
    return [
        replace(line, reason=f"known issue {known.count.of_boot[line.folder]}: {line.reason}")
        if line.folder is not None and known.count.excuses(line)
        else line
        for line in lines
    ]


def statuses_of(lines: Sequence[BootLine], known: KnownReport) -> list[Status]:
    """Return the statuses that decide the exit status: what is excused passes, what the issues fail fails."""
    statuses = [Status.PASS if known.count.excuses(line) else line.status for line in lines]
    return [*statuses, Status.FAIL] if known.fails else statuses
