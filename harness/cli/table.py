"""Lay out text for a terminal or a file: columns, colours, and text of the guest made harmless."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence

from harness.checks.base import Status

__all__ = ["colour", "columns", "one_line", "terminal_width"]

_COLOURS = {
    Status.PASS: "32",
    Status.FAIL: "1;31",
    Status.ERROR: "1;35",
    Status.INCONCLUSIVE: "33",
    Status.UNSUPPORTED: "36",
}
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")
# C0 and C1, and what Unicode has to break a line or to turn the direction of writing around (UAX #9).
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def one_line(text: str, width: int | None = None) -> str:
    """Return text that cannot move a cursor or break a line, cut to ``width`` characters (None: not cut)."""
    plain = _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()
    return plain if width is None or len(plain) <= width else plain[: max(0, width - 1)] + "…"


def terminal_width() -> int | None:
    """Return the columns of the terminal; None if standard output is none, and lines may be of any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def colour(status: Status, text: str) -> str:
    """Colour ``text`` for its status, on a terminal whose user has not set NO_COLOR."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[status]}m{text}\x1b[0m"


def columns(rows: Sequence[Sequence[str]], width: int | None, status_column: int | None = None) -> list[str]:
    """Align the rows, the first of which is the heading; the last column takes what is left of ``width``.

    ``status_column`` holds :class:`~harness.checks.base.Status` values, which are coloured. The last column is cut only
    on a terminal.
    """
    rows = [(*map(one_line, row[:-1]), row[-1]) for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    left = None if width is None else max(20, width - sum(widths) - 2 * len(widths))
    lines = []
    for number, row in enumerate(rows):
        cells = []
        for index, cell in enumerate(row[:-1]):
            padded = cell.ljust(widths[index])
            if number and index == status_column:
                padded = colour(Status(cell), padded)
            cells.append(padded)
        lines.append("  ".join([*cells, one_line(row[-1], left)]).rstrip())
    return lines
