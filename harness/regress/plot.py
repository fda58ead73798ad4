"""Draw how a search narrowed: in the terminal, and as SVG or PNG where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InputError

__all__ = ["Narrowing", "draw_file", "terminal_plot"]

_WIDTH, _ROWS = 64, 16


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Be how a search of so many ``candidates`` narrowed; ``rows`` are as :func:`terminal_plot` takes them."""

    title: str
    rows: Sequence[tuple[int, float, int, int]]
    candidates: int


def terminal_plot(rows: Sequence[tuple[int, float, int, int]], candidates: int) -> list[str]:
    """Return lines, one for each of up to 16 moments: the boots so far, and where the cause may still be."""
    if not rows:
        return []
    step = max(1, -(-len(rows) // _ROWS))
    shown = [*rows[::step]]
    if shown[-1] != rows[-1]:
        shown.append(rows[-1])
    scale = _WIDTH / (candidates + 2)
    lines = [f"{'boots':>6} {'bits':>5}  good end{' ' * (_WIDTH - 15)}bad end"]
    for boots, bits, first, last in shown:
        left, right = int(first * scale), max(int(first * scale) + 1, int((last + 1) * scale))
        lines.append(f"{boots:>6} {bits:>5.1f}  {'·' * left}{'#' * (right - left)}{'·' * (_WIDTH - right)}")
    return lines


def draw_file(path: Path, searches: Sequence[Narrowing]) -> None:
    """Write the plot, a column for each search; the suffix says whether SVG or PNG.

    :raise InputError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("a plot as a file needs matplotlib: pip install 'svsm-harness[report]'") from error
    columns = max(1, len(searches))
    figure = Figure(figsize=(8 * columns, 4), layout="constrained")
    axes = figure.subplots(2, columns, sharex="col", squeeze=False)
    for (where, bits), search in zip(axes.T, searches, strict=False):
        boots = [row[0] for row in search.rows]
        low, high = [row[2] - 0.5 for row in search.rows], [row[3] + 0.5 for row in search.rows]
        where.fill_between(boots, low, high, step="post", alpha=0.6)
        where.set_ylim(-0.5, search.candidates + 1.5)
        where.set_ylabel("candidate")
        if columns > 1:
            # A title is no formula; parse_math=False does not reach matplotlib's wrapping.
            where.set_title(search.title.replace("$", r"\$"), fontsize="small", wrap=True)
        bits.step(boots, [row[1] for row in search.rows], where="post")
        bits.set_ylabel("bits left")
        bits.set_xlabel("boots")
    figure.savefig(path)
