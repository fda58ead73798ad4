from __future__ import annotations

from trace_lines import accept, entry, inject, mark, records, roy_down, roy_up

from harness.evidence.flavour import Flavour, rules_of
from harness.evidence.irq_fold import fold_irqs
from harness.evidence.timeline import (
    Cell,
    Interval,
    IrqMark,
    Lane,
    Span,
    Timeline,
    build_timeline,
    cells,
    column_of,
    irq_counts,
)
from harness.evidence.vmpl_fold import fold_switches

SECOND = 1_000_000_000


def test_lanes_follow_the_switches_without_gaps() -> None:
    trace = records(
        [entry(0, 2), mark("call", "begin"), *roy_down(), accept(0, 0, 49), inject(0, 49), *roy_up(),
         mark("call", "end"), entry(1, 2), entry(1, 2)]
    )  # fmt: skip
    rules = rules_of(Flavour.ROY)
    timeline = build_timeline(fold_switches(trace, rules), fold_irqs(trace, rules))
    zero, one = timeline.lanes
    assert [interval.vmpl for interval in zero.intervals] == [2, 0, 2]
    assert all(a.end == b.begin for a, b in zip(zero.intervals, zero.intervals[1:], strict=False))
    assert zero.irqs == (IrqMark(SECOND + 7_000, 49, 2),)
    assert one.intervals == (Interval(SECOND + 13_000, SECOND + 14_000, 2),)
    assert (timeline.begin, timeline.end) == (SECOND, SECOND + 14_000)
    assert timeline.steps == (Span(SECOND + 1_000, SECOND + 12_000, "call"),)


def test_a_vcpu_that_never_switches_keeps_the_vmpl_it_was_seen_in() -> None:
    timeline = build_timeline(fold_switches(records([entry(0, 2), entry(0, 2)]), rules_of(Flavour.ROY)))
    assert [interval.vmpl for interval in timeline.lanes[0].intervals] == [2]
    unknown = build_timeline(fold_switches(records([entry(0), entry(0)]), rules_of(Flavour.PLANES_V1)))
    assert [interval.vmpl for interval in unknown.lanes[0].intervals] == [None]


def test_an_empty_trace_has_an_empty_timeline() -> None:
    timeline = build_timeline(fold_switches([], rules_of(Flavour.ROY)))
    assert timeline.lanes == () and timeline.duration == 1


LANE = Lane(0, (Interval(0, 50, 2), Interval(50, 51, 0), Interval(51, 80, 2)), (IrqMark(50, 49, 0), IrqMark(99, 49, 2)))
LINE = Timeline(0, 100, (LANE,), ())


def test_cells_show_the_longest_and_that_others_ran() -> None:
    assert cells(LINE, LANE, 4) == [
        Cell(2, False, False),
        Cell(2, False, False),
        Cell(2, True, False),
        Cell(2, False, False),
    ]
    assert [cell.empty for cell in cells(LINE, LANE, 10)] == [False] * 8 + [True] * 2
    # More slices than time: what ran in one is still there.
    assert [cell.vmpl for cell in cells(LINE, LANE, 400)][200:204] == [0, 0, 0, 0]


def test_interrupts_are_counted_in_their_slice() -> None:
    assert irq_counts(LINE, LANE, 4) == [0, 0, 1, 1]
    assert [column_of(LINE, at, 10) for at in (-5, 0, 99, 100, 1000)] == [0, 0, 9, 9, 9]
