"""Draw a timeline in characters, for a terminal of any width."""

from __future__ import annotations

from harness.evidence.timeline import Cell, Lane, Timeline, Violation, cells, column_of, irq_counts
from harness.units import format_duration

__all__ = ["draw_text"]

_NARROWEST_COLUMNS = 20
_LEGEND = "0-3: VMPL that ran   %: several in this column   ?: not known   irq: interrupts (+: 10 or more)"


def draw_text(
    timeline: Timeline, width: int = 100, violation: Violation | None = None, *, time_is_ns: bool = True
) -> str:
    """Return lines of at most ``width`` characters (at least 30), one lane a vCPU, ending in a line end.

    A column that several VMPLs share shows ``%``, or ``0`` where VMPL0 ran longest: a short visit to VMPL0 is never
    invisible. ``violation`` is pointed at under its lane. ``time_is_ns`` false leaves durations out.
    """
    label_width = max([len(f"vCPU {lane.vcpu}") for lane in timeline.lanes], default=6) + 1
    columns = max(_NARROWEST_COLUMNS, width - label_width - 2)
    lines = [_axis(timeline, label_width, columns, time_is_ns)]
    lines += [f"{'step':<{label_width}} {row}" for row in _steps(timeline, columns)]
    for lane in timeline.lanes:
        name = f"vCPU {lane.vcpu}"
        lines.append(f"{name:<{label_width}}|{''.join(map(_glyph, cells(timeline, lane, columns)))}|")
        if lane.irqs:
            counts = irq_counts(timeline, lane, columns)
            lines.append(f"{'irq':>{label_width}}|{''.join(map(_count, counts))}|")
        if violation is not None and violation.vcpu == lane.vcpu:
            lines += _pointer(timeline, violation, label_width, columns)
    if violation is not None and not _has_lane(timeline.lanes, violation):
        lines += _pointer(timeline, violation, label_width, columns)
    lines.append(_LEGEND[: max(width, 30)])
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _has_lane(lanes: tuple[Lane, ...], violation: Violation) -> bool:
    return any(lane.vcpu == violation.vcpu for lane in lanes)


def _axis(timeline: Timeline, label_width: int, columns: int, time_is_ns: bool) -> str:
    if not time_is_ns:
        return f"{'':<{label_width}} {timeline.duration} counts of the trace clock"
    left = f"{timeline.begin / 1e9:.6f} s"
    right = f"+{_duration(timeline.duration)}"
    return f"{'':<{label_width}} {left}{right:>{max(1, columns - len(left))}}"


def _duration(duration_ns: int) -> str:
    return f"{duration_ns / 1000:.0f} us" if duration_ns < 10_000_000 else format_duration(duration_ns / 1e9)


def _steps(timeline: Timeline, columns: int) -> list[str]:
    # Steps that overlap in columns get a row of their own; three rows are enough to read.
    rows: list[list[str]] = []
    for span in timeline.steps:
        first, last = column_of(timeline, span.begin, columns), column_of(timeline, span.end, columns)
        text = f"[{_printable(span.name)}".ljust(last - first, "-")[: max(1, last - first)] + "]"
        for row in rows:
            if all(char == " " for char in row[first : first + len(text)]):
                break
        else:
            if len(rows) == 3:
                continue
            row = [" "] * columns
            rows.append(row)
        row[first : first + len(text)] = text[: columns - first]
    return ["".join(row) for row in rows]


def _glyph(cell: Cell) -> str:
    if cell.empty:
        return " "
    if cell.mixed:
        return "0" if cell.vmpl == 0 else "%"
    return "?" if cell.vmpl is None else str(cell.vmpl)[-1]


def _count(count: int) -> str:
    return " " if count == 0 else str(count) if count < 10 else "+"


def _pointer(timeline: Timeline, violation: Violation, label_width: int, columns: int) -> list[str]:
    column = column_of(timeline, violation.at, columns)
    text = _printable(violation.text)[:columns]
    start = max(0, min(column, columns - len(text)))
    return [f"{'':<{label_width}} {'':<{column}}^", f"{'':<{label_width}} {'':<{start}}{text}"]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
