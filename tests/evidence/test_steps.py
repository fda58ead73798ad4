from __future__ import annotations

import pytest
from trace_lines import entry, mark, records

from harness.evidence.steps import StepIndex, Window, windows_from_marks


def test_marks_become_windows() -> None:
    trace = records([mark("a", "begin"), entry(0), mark("a", "end"), mark("b", "begin"), mark("b", "end")])
    windows, problems = windows_from_marks(trace)
    assert [(w.step, w.begin[1], w.end and w.end[1], w.duration_ns) for w in windows] == [
        ("a", 1, 3, 2000),
        ("b", 4, 5, 1000),
    ]
    assert problems == ()


def test_marks_without_a_pair_are_named() -> None:
    trace = records([mark("a", "end"), mark("b", "begin"), mark("c", "middle")])
    windows, problems = windows_from_marks(trace)
    assert [(w.step, w.end) for w in windows] == [("b", None)]
    assert [problem.split(":")[0] for problem in problems] == ["line 1", "line 3", "line 2"]


@pytest.mark.parametrize(
    ("moment", "step"),
    [
        ((9, 1), None),
        ((10, 0), None),
        ((10, 1), "outer"),
        ((15, 5), "inner"),
        ((20, 9), "inner"),
        ((20, 10), "outer"),
        ((30, 12), "outer"),
        ((30, 13), None),
        ((99, 99), "open"),
    ],
)
def test_a_moment_belongs_to_the_step_that_began_last(moment: tuple[int, int], step: str | None) -> None:
    index = StepIndex(
        [Window("outer", (10, 1), (30, 12)), Window("inner", (15, 2), (20, 9)), Window("open", (90, 1), None)]
    )
    assert index.step_at(*moment) == step
