"""Lay out which VMPL ran on which vCPU and when, with interrupts and steps, for drawing.

The model is plain values; :mod:`harness.evidence.timeline_text` and :mod:`harness.evidence.timeline_svg` draw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from harness.evidence.irq import IrqFacts
from harness.evidence.vmpl import SwitchFacts

__all__ = [
    "Cell",
    "Interval",
    "IrqMark",
    "Lane",
    "Span",
    "Timeline",
    "Violation",
    "build_timeline",
    "cells",
    "column_of",
    "irq_counts",
]


class Interval(NamedTuple):
    """Say that ``vmpl`` (None: not known) ran from ``begin`` to ``end``."""

    begin: int
    end: int
    vmpl: int | None


class IrqMark(NamedTuple):
    """Mark an injected interrupt; ``vmpl`` is None where it is not known."""

    at: int
    vector: int
    vmpl: int | None


class Span(NamedTuple):
    """Mark a step; ``end`` is the timeline's if the step did not end."""

    begin: int
    end: int
    name: str


class Violation(NamedTuple):
    """Point at a moment that breaks an expectation; ``vcpu`` is None if it belongs to no lane."""

    at: int
    vcpu: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """Hold one vCPU: intervals without gaps or overlaps in the order of time, and its interrupts."""

    vcpu: int
    intervals: tuple[Interval, ...]
    irqs: tuple[IrqMark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Hold everything to draw. Times are the trace's: nanoseconds, or counts where its clock is no time."""

    begin: int
    end: int
    lanes: tuple[Lane, ...]
    steps: tuple[Span, ...]

    @property
    def duration(self) -> int:
        """Return the time covered, at least 1."""
        return max(1, self.end - self.begin)


class Cell(NamedTuple):
    """Sum up a slice of a lane: the VMPL that ran longest (None: none known), and whether others ran in it too."""

    vmpl: int | None
    mixed: bool
    empty: bool


def build_timeline(switches: SwitchFacts, irqs: IrqFacts | None = None) -> Timeline:
    """Lay out one lane for each vCPU that was seen, ordered by number."""
    begin = min((span.first_at for span in switches.vcpus), default=0)
    end = max((span.last_at for span in switches.vcpus), default=0)
    moves: dict[int, list[tuple[int, int, int]]] = {}
    for switch in switches.switches:
        moves.setdefault(switch.vcpu, []).append((switch.at, switch.from_vmpl, switch.to_vmpl))
    marks: dict[int, list[IrqMark]] = {}
    for delivery in irqs.deliveries if irqs is not None else ():
        marks.setdefault(delivery.vcpu, []).append(IrqMark(delivery.at, delivery.vector, delivery.vmpl))
        begin, end = min(begin, delivery.at), max(end, delivery.at)
    lanes = []
    for span in switches.vcpus:
        intervals: list[Interval] = []
        at, vmpl = span.first_at, span.vmpl
        for when, old, new in moves.get(span.vcpu, ()):
            intervals.append(Interval(at, when, old))
            at, vmpl = when, new
        intervals.append(Interval(at, max(at, span.last_at), vmpl))
        irq_marks = tuple(sorted(marks.get(span.vcpu, ())))
        lanes.append(Lane(span.vcpu, tuple(i for i in intervals if i.end > i.begin), irq_marks))
    steps = tuple(Span(w.begin[0], end if w.end is None else w.end[0], w.step) for w in switches.windows)
    return Timeline(begin, end, tuple(lanes), steps)


def cells(timeline: Timeline, lane: Lane, count: int) -> list[Cell]:
    """Cut a lane into ``count`` slices of equal time; what is drawn then has a bounded size."""
    weights: list[dict[int | None, int]] = [{} for _ in range(count)]
    duration = timeline.duration
    for interval in lane.intervals:
        first = (interval.begin - timeline.begin) * count // duration
        beyond = -(-(interval.end - timeline.begin) * count // duration)
        for column in range(first, min(count, beyond)):
            low = timeline.begin + column * duration // count
            high = timeline.begin + (column + 1) * duration // count
            # At least 1: a slice can be shorter than a nanosecond, and what ran in it did run.
            weight = max(1, min(high, interval.end) - max(low, interval.begin))
            weights[column][interval.vmpl] = weights[column].get(interval.vmpl, 0) + weight
    found = []
    for weight_by_vmpl in weights:
        longest = max(weight_by_vmpl, key=lambda vmpl: weight_by_vmpl[vmpl], default=None)
        found.append(Cell(longest, len(weight_by_vmpl) > 1, not weight_by_vmpl))
    return found


def irq_counts(timeline: Timeline, lane: Lane, count: int) -> list[int]:
    """Count the interrupts in each of ``count`` slices of equal time."""
    counts = [0] * count
    for mark in lane.irqs:
        counts[column_of(timeline, mark.at, count)] += 1
    return counts


def column_of(timeline: Timeline, at: int, count: int) -> int:
    """Return the slice that ``at`` falls in; a time outside the timeline is put at its edge."""
    return min(count - 1, max(0, (at - timeline.begin) * count // timeline.duration))
