"""Say what a run found: the final table, or one JSON document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus
from harness.cli.table import columns, terminal_width
from harness.results.record import BootLine, boot_line_json
from harness.scenario.model import Platform
from harness.units import format_duration

__all__ = ["exit_status", "print_json", "print_summary"]

_HEADING = ("scenario", "grade", "verdict", "time", "reason")


def exit_status(statuses: Iterable[Status]) -> ExitStatus:
    """Decide from the statuses of all boots: a FAIL stands above an ERROR, that above INCONCLUSIVE."""
    seen = set(statuses)
    for status, code in (
        (Status.FAIL, ExitStatus.FAILED),
        (Status.ERROR, ExitStatus.ERROR),
        (Status.INCONCLUSIVE, ExitStatus.INCONCLUSIVE),
        (Status.PASS, ExitStatus.PASSED),
    ):
        if status in seen:
            return code
    return ExitStatus.NOTHING_RAN


def print_summary(lines: Sequence[BootLine], folder: Path, took_s: float, notes: Sequence[str] = ()) -> None:
    """Print the table, the counts by grade, and where the record is, which is the last line."""
    rows = [_HEADING, *(_row(line) for line in sorted(lines, key=lambda line: (line.identity.file, _order(line))))]
    print("\n".join(columns(rows, terminal_width(), status_column=2)))
    print()
    for sentence in (*_counts(lines), *notes):
        print(sentence)
    print(f"{len(lines)} boot{'s' if len(lines) != 1 else ''} in {format_duration(took_s)}")
    print(f"results: {folder}")


def _order(line: BootLine) -> tuple[tuple[int, int | str], ...]:
    # Numbers inside ids sort as numbers: vcpus=2 before vcpus=16.
    words = "".join(c if c.isalnum() else " " for c in line.identity.variant).split()
    return tuple((1, int(word)) if word.isdigit() else (0, word) for word in words)


def _row(line: BootLine) -> tuple[str, ...]:
    identity = line.identity
    took = format_duration(line.duration_s) if line.outcome is not None else "-"
    return (identity.variant, identity.platform, line.status, took, line.reason)


def _counts(lines: Sequence[BootLine]) -> list[str]:
    # By grade: a pass on a low one is never added to a pass on a high one.
    sentences = []
    for platform in reversed(Platform):
        counted = Counter(line.status for line in lines if line.identity.platform == platform)
        if counted:
            parts = ", ".join(f"{counted[status]} {status}" for status in reversed(Status) if counted[status])
            sentences.append(f"{platform}: {parts}")
    return sentences


def print_json(
    lines: Sequence[BootLine],
    folder: Path,
    took_s: float,
    status: ExitStatus,
    known: Mapping[str, object] | None = None,
) -> None:
    """Print one JSON document and nothing else; ``known`` is what the known issues say (None: nobody asked)."""
    counts = {str(found): sum(line.status is found for line in lines) for found in Status}
    document = {
        "results": str(folder),
        "exit_status": int(status),
        "duration_s": round(took_s, 3),
        "counts": counts,
        "boots": [boot_line_json.dump_python(line, mode="json") for line in lines],
    }
    print(json.dumps(document if known is None else {**document, "known": known}, indent=1))
