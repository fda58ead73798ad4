from __future__ import annotations

import pytest

from harness.evidence.timeline import Interval, IrqMark, Lane, Span, Timeline, Violation
from harness.evidence.timeline_text import draw_text

TIMELINE = Timeline(
    begin=1_000_000_000,
    end=1_000_100_000,
    lanes=(
        Lane(0, (Interval(1_000_000_000, 1_000_050_000, 2), Interval(1_000_050_000, 1_000_100_000, 0)),
             (*([IrqMark(1_000_020_000, 49, 2)] * 12), IrqMark(1_000_060_000, 49, 0))),
        Lane(1, (Interval(1_000_000_000, 1_000_099_000, None), Interval(1_000_099_000, 1_000_100_000, 0)), ()),
    ),
    steps=(Span(1_000_020_000, 1_000_080_000, "calls"),),
)  # fmt: skip


def test_the_whole_picture() -> None:
    drawn = draw_text(TIMELINE, 29, Violation(1_000_060_000, 0, "vector 49 went to VMPL0"))
    assert drawn.splitlines() == [
        "        1.000000 s   +100 us",
        "step        [calls------]",
        "vCPU 0 |22222222220000000000|",
        "    irq|    +       1       |",
        "                    ^",
        "        vector 49 went to VM",
        "vCPU 1 |???????????????????%|",
        "0-3: VMPL that ran   %: severa",
    ]


def test_a_violation_without_a_lane_is_still_told() -> None:
    assert "lost" in draw_text(TIMELINE, 60, Violation(1_000_060_000, 7, "lost"))
    assert "lost" in draw_text(TIMELINE, 60, Violation(1_000_060_000, None, "lost"))


@pytest.mark.parametrize("width", [1, 30, 80, 200])
def test_no_line_is_wider_than_asked(width: int) -> None:
    drawn = draw_text(TIMELINE, width, Violation(1_000_099_999, 1, "x" * 500))
    assert max(map(len, drawn.splitlines())) <= max(30, width)


def test_control_characters_do_not_reach_the_terminal() -> None:
    timeline = Timeline(0, 100, (), (Span(0, 100, "a\x1b[31m"),))
    drawn = draw_text(timeline, 60, Violation(5, None, "b\x07"))
    assert "\x1b" not in drawn and "\x07" not in drawn


def test_counts_are_not_shown_as_time() -> None:
    assert "100000 counts" in draw_text(TIMELINE, 80, time_is_ns=False)
