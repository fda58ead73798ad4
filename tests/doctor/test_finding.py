from __future__ import annotations

import pytest

from harness.doctor.finding import Answer, State, lacks, note, ok, unknown
from harness.doctor.snapshot import Unreadable


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok("7"), Answer(State.OK, "7")),
        (note("7"), Answer(State.NOTE, "7")),
        (note("7", "do it"), Answer(State.NOTE, "7", "do it")),
        (lacks("7", ""), Answer(State.LACKS, "7", "")),
        (unknown("why"), Answer(State.UNKNOWN, "why")),
        (unknown(Unreadable("why"), "do it"), Answer(State.UNKNOWN, "why", "do it")),
    ],
)
def test_answers(answer: Answer, expected: Answer) -> None:
    assert answer == expected
