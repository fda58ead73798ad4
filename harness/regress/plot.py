"""Draw how a search narrowed: in the terminal, and as SVG or PNG where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import InputError

__all__ = ["draw_file", "terminal_plot"]

_WIDTH, _ROWS = 64, 16


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


def draw_file(path: Path, rows: Sequence[tuple[int, float, int, int]], candidates: int) -> None:
    """Write the plot; the suffix says whether SVG or PNG.

    :raise InputError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("a plot as a file needs matplotlib: pip install 'svsm-harness[report]'") from error
    figure = Figure(figsize=(8, 4), layout="constrained")
    where, bits = figure.subplots(2, 1, sharex=True)
    boots = [row[0] for row in rows]
    where.fill_between(boots, [row[2] - 0.5 for row in rows], [row[3] + 0.5 for row in rows], step="post", alpha=0.6)
    where.set_ylim(-0.5, candidates + 1.5)
    where.set_ylabel("candidate")
    bits.step(boots, [row[1] for row in rows], where="post")
    bits.set_ylabel("bits left")
    bits.set_xlabel("boots")
    figure.savefig(path)
