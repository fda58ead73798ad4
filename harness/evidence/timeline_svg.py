"""Draw a timeline as one SVG: self-contained, no script, readable on light and dark paper, of bounded size."""

from __future__ import annotations

from html import escape
from itertools import groupby

from harness.evidence.timeline import Lane, Timeline, Violation, cells, column_of, irq_counts

__all__ = ["LARGEST_LANES", "draw_svg"]

#: More vCPUs than this are not drawn; the picture says how many.
LARGEST_LANES = 64

_COLUMNS = 960
_LEFT = 70
_LANE = 34
_BAR = 20
_TOP = 46
_TEXT_CHARACTERS = 160
# Hues that stay apart for people who do not see red and green apart (Okabe and Ito); None is grey.
_STYLE = (
    "svg{background:#fff;font:12px system-ui,sans-serif}text{fill:#222}"
    ".v0{fill:#d55e00}.v1{fill:#cc79a7}.v2{fill:#0072b2}.v3{fill:#009e73}.vn{fill:#999}"
    ".mixed{opacity:.6}.irq{fill:#222}.step{fill:#f0e442;opacity:.35}.bad{fill:#e00;stroke:#e00;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){svg{background:#161616}text{fill:#ddd}.irq{fill:#ddd}.vn{fill:#777}"
    ".v0{fill:#ff8c42}.v2{fill:#56b4e9}.v3{fill:#2bc99b}.step{opacity:.2}.bad{fill:#ff5c5c;stroke:#ff5c5c}}"
)


def draw_svg(
    timeline: Timeline,
    violation: Violation | None = None,
    *,
    title: str = "VMPL timeline",
    largest_intervals: int = 2000,
) -> str:
    """Return the SVG document.

    A lane with more than ``largest_intervals`` intervals is summed up in columns: each shows the VMPL that ran
    longest, paler where others ran too. All text is escaped and cut, so that a hostile step name stays text.
    """
    lanes = timeline.lanes[:LARGEST_LANES]
    bottom = _TOP + len(lanes) * _LANE
    height = bottom + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _COLUMNS + 20} {height}" role="img">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style>",
        f'<text x="{_LEFT}" y="16">{_text(title)}</text>',
    ]
    for span in timeline.steps[:200]:
        x, end = _x(timeline, span.begin), _x(timeline, span.end)
        parts.append(
            f'<rect class="step" x="{x}" y="22" width="{max(1, end - x)}" height="{bottom - 22}">'
            f"<title>{_text(span.name)}</title></rect>"
            f'<text x="{x + 2}" y="34">{_text(span.name)}</text>'
        )
    for row, lane in enumerate(lanes):
        parts += _lane(timeline, lane, _TOP + row * _LANE, largest_intervals)
    if len(timeline.lanes) > len(lanes):
        more = len(timeline.lanes) - len(lanes)
        parts.append(f'<text x="{_LEFT}" y="{bottom + 14}">and {more} more vCPUs</text>')
    if violation is not None:
        parts += _violation(timeline, lanes, violation, bottom)
    parts.append(_legend(height))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _lane(timeline: Timeline, lane: Lane, y: int, largest_intervals: int) -> list[str]:
    parts = [f'<text x="4" y="{y + 14}">vCPU {lane.vcpu}</text>']
    if len(lane.intervals) <= largest_intervals:
        for interval in lane.intervals:
            x, end = _exact(timeline, interval.begin), _exact(timeline, interval.end)
            parts.append(
                f'<rect class="{_class(interval.vmpl)}" x="{x:.2f}" y="{y}" width="{max(0.25, end - x):.2f}" '
                f'height="{_BAR}"/>'
            )
    else:
        column = 0
        for cell, run in groupby(cells(timeline, lane, _COLUMNS)):
            width = len(list(run))
            if not cell.empty:
                mixed = " mixed" if cell.mixed else ""
                parts.append(
                    f'<rect class="{_class(cell.vmpl)}{mixed}" x="{_LEFT + column}" y="{y}" width="{width}" '
                    f'height="{_BAR}"/>'
                )
            column += width
    ticks = "".join(
        f"M{_LEFT + column} {y + _BAR}v{min(8, 2 + count)}h1v-{min(8, 2 + count)}z"
        for column, count in enumerate(irq_counts(timeline, lane, _COLUMNS))
        if count
    )
    if ticks:
        parts.append(f'<path class="irq" d="{ticks}"><title>{len(lane.irqs)} interrupts</title></path>')
    return parts


def _violation(timeline: Timeline, lanes: tuple[Lane, ...], violation: Violation, bottom: int) -> list[str]:
    x = _x(timeline, violation.at)
    row = next((row for row, lane in enumerate(lanes) if lane.vcpu == violation.vcpu), None)
    top, end = (22, bottom) if row is None else (_TOP + row * _LANE - 4, _TOP + row * _LANE + _BAR + 4)
    anchor = "end" if x > _LEFT + _COLUMNS // 2 else "start"
    text = _text(violation.text)
    return [
        f'<path class="bad" d="M{x} {top}V{end}"><title>{text}</title></path>',
        f'<path class="bad" d="M{x - 4} {top - 6}h8l-4 6z"/>',
        f'<text class="bad" style="stroke:none" x="{x}" y="{bottom + 14}" text-anchor="{anchor}">{text}</text>',
    ]


def _legend(height: int) -> str:
    marks = []
    for number, (name, label) in enumerate(
        [("v0", "VMPL0"), ("v1", "VMPL1"), ("v2", "VMPL2"), ("v3", "VMPL3"), ("vn", "not known"), ("irq", "interrupt")]
    ):
        x = _LEFT + number * 90
        marks.append(
            f'<rect class="{name}" x="{x}" y="{height - 18}" width="10" height="10"/>'
            f'<text x="{x + 14}" y="{height - 9}">{label}</text>'
        )
    return "".join(marks)


def _class(vmpl: int | None) -> str:
    return f"v{vmpl}" if vmpl in (0, 1, 2, 3) else "vn"


def _exact(timeline: Timeline, at: int) -> float:
    return _LEFT + (at - timeline.begin) * _COLUMNS / timeline.duration


def _x(timeline: Timeline, at: int) -> int:
    return _LEFT + column_of(timeline, at, _COLUMNS)


# XML 1.0 has no control characters, escaped or not.
def _text(text: str) -> str:
    return escape("".join(char if char.isprintable() else "?" for char in text[:_TEXT_CHARACTERS]))
