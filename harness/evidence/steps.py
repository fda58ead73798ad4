"""Tell in which step of the scenario a trace event happened, from the marks in the trace or from given times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from harness.evidence.ftrace import Record
from harness.evidence.trace_events import Mark

__all__ = ["Moment", "StepIndex", "Window", "windows_from_marks"]

# (time, line): events of one CPU with equal timestamps keep the order of their lines. Between CPUs such a tie means
# nothing, and is resolved by line as well.
Moment = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Hold one run of a step, both ends included. ``end`` is None if the trace ends inside the step."""

    step: str
    begin: Moment
    end: Moment | None

    @property
    def duration_ns(self) -> int | None:
        """Return how long it took, in the trace's unit of time; None if it did not end."""
        return None if self.end is None else self.end[0] - self.begin[0]


def windows_from_marks(marks: Iterable[Record]) -> tuple[tuple[Window, ...], tuple[str, ...]]:
    """Pair the ``begin`` and ``end`` marks; return the windows by time, and a sentence for each mark without a pair."""
    open_: dict[str, list[Moment]] = {}
    windows: list[Window] = []
    problems: list[str] = []
    for record in sorted(
        (mark for mark in marks if isinstance(mark.fields, Mark)), key=lambda mark: (mark.at, mark.line)
    ):
        assert isinstance(record.fields, Mark)
        step, edge = record.fields.step, record.fields.edge
        if edge == "begin":
            open_.setdefault(step, []).append((record.at, record.line))
        elif edge == "end" and open_.get(step):
            windows.append(Window(step, open_[step].pop(), (record.at, record.line)))
        else:
            problems.append(f"line {record.line}: step {step} has the mark {edge!r} without a beginning")
    for step, begins in open_.items():
        for begin in begins:
            windows.append(Window(step, begin, None))
            problems.append(f"line {begin[1]}: step {step} begins and does not end")
    return tuple(sorted(windows, key=lambda window: window.begin)), tuple(problems)


class StepIndex:
    """Find the step of a moment; where windows overlap, the one that began last."""

    def __init__(self, windows: Iterable[Window]) -> None:
        """Take windows in any order."""
        edges: list[tuple[Moment, int, Window]] = []
        for window in windows:
            edges.append((window.begin, 0, window))
            if window.end is not None:
                # The end mark itself still belongs to the step.
                edges.append(((window.end[0], window.end[1] + 1), 1, window))
        self._moments: list[Moment] = []
        self._steps: list[str | None] = []
        running: list[Window] = []
        for moment, closes, window in sorted(edges, key=lambda edge: (edge[0], edge[1])):
            if closes:
                running.remove(window)
            else:
                running.append(window)
            self._moments.append(moment)
            self._steps.append(running[-1].step if running else None)

    def step_at(self, at: int, line: int) -> str | None:
        """Return the step's name; None outside all steps."""
        index = bisect_right(self._moments, (at, line))
        return self._steps[index - 1] if index else None
