"""Hold what was measured, judge it against its target, and show it.

The machine may be busy with other things. So two things are compared by the ratios of neighbours: A and B are measured
in turn, each A is divided by the B that followed it, and the median of these ratios is what counts. Both members of a
pair see much the same machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Figure", "Target", "as_json", "as_table"]

_HEADING = ("figure", "A", "B", "A/B", "spread", "target", "met")


@dataclass(frozen=True, slots=True)
class Target:
    """Say what must be reached: ``bound`` is an upper one, or a lower one where ``at_least``.

    ``of`` is "ratio" for the median of the paired ratios A/B, "A" for the median of A in the figure's unit.
    """

    bound: float
    of: str = "ratio"
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Tell whether ``value`` reaches the bound; exactly on it does."""
        return value >= self.bound if self.at_least else value <= self.bound

    def text(self, unit: str) -> str:
        """Write it for people."""
        sign = ">=" if self.at_least else "<="
        return f"A/B {sign} {self.bound:g}" if self.of == "ratio" else f"A {sign} {self.bound:g} {unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """Be one row: ``a[i]`` and ``b[i]`` were measured one after the other, in ``unit``.

    ``target`` is None for a row that is only there to be read. ``b`` is empty where A stands alone. ``missing`` says
    why nothing was measured; None where something was. ``note`` is for people, and decides nothing.
    """

    name: str
    a_is: str
    b_is: str
    unit: str
    target: Target | None
    a: Sequence[float] = field(default=())
    b: Sequence[float] = field(default=())
    missing: str | None = None
    note: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Return A/B of each pair."""
        return tuple(a / b for a, b in zip(self.a, self.b, strict=True)) if self.b else ()

    @property
    def target_text(self) -> str:
        """Write the target for people."""
        return "none" if self.target is None else self.target.text(self.unit)

    @property
    def met(self) -> bool:
        """Tell whether the target is reached, if there is one; what was not measured never reaches it."""
        if self.missing is not None or self.target is None:
            return self.missing is None
        values = self.ratios if self.target.of == "ratio" else self.a
        return len(values) > 0 and self.target.met_by(median(values))


def as_table(figures: Sequence[Figure]) -> str:
    """Render the figures as a table, and below it what A and B are and what is missing."""
    rows = [_HEADING, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADING))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append("")
    for figure in figures:
        lines += [f"{figure.name}:", f"  A: {figure.a_is}"]
        if figure.b_is:
            lines.append(f"  B: {figure.b_is}")
        if figure.note:
            lines.append(f"  {figure.note}")
        if figure.missing is not None:
            lines.append(f"  not measured: {figure.missing}")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    target = figure.target_text
    if figure.missing is not None:
        return (figure.name, "-", "-", "-", "-", target, "no: not measured")
    ratios = figure.ratios
    return (
        figure.name,
        _value(figure.a, figure.unit),
        _value(figure.b, figure.unit),
        f"{median(ratios):.3f}" if ratios else "-",
        _spread(ratios or figure.a),
        target,
        "yes" if figure.met else "no",
    )


def _value(values: Sequence[float], unit: str) -> str:
    return f"{median(values):.3f} {unit}" if values else "-"


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.3f}..{max(values):.3f}" if values else "-"


def as_json(figures: Sequence[Figure], about: dict[str, object]) -> str:
    """Render as one JSON document; ``about`` says where and how it was measured."""
    rows = [
        {
            "figure": figure.name,
            "a_is": figure.a_is,
            "b_is": figure.b_is,
            "unit": figure.unit,
            "a": list(figure.a),
            "b": list(figure.b),
            "a_median": median(figure.a) if figure.a else None,
            "b_median": median(figure.b) if figure.b else None,
            "ratios": list(figure.ratios),
            "ratio": median(figure.ratios) if figure.ratios else None,
            "target": figure.target_text,
            "met": figure.met,
            "missing": figure.missing,
            "note": figure.note,
        }
        for figure in figures
    ]
    return json.dumps({**about, "figures": rows, "met": all(figure.met for figure in figures)}, indent=1)
