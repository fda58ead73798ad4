from __future__ import annotations

import pytest

from harness.regress.journal import Booted, Checked, Entry, HostOpened, Prepared, Stage, Switched, Untestable, known_of
from harness.regress.proof import (
    answer_sentence,
    bits_left,
    check_sentence,
    host_kernels,
    how_sure,
    proof_lines,
    rates_lines,
)
from harness.stats.bisect import Answer, AnswerKind, Known, Question
from harness.stats.bisect_posterior import Group, Tally

LABELS = tuple("abcde")
STAGE = Stage(0, "commits", LABELS, Question(4), {})
ENTRIES: list[Entry] = [
    STAGE,
    Prepared(0, 4, "d" * 64, 1.0),
    *[Booted(0, 4, "bad", "hang: AP", f"boots/{n:04d}", 1.0) for n in range(5)],
    Booted(0, 4, "other", "panic", "boots/0009", 1.0),
    *[Booted(0, 1, "good", None, None, 1.0) for _ in range(9)],
    Untestable(0, 2, "status 1:\nlong log\nerror: no compiler"),
]


def test_the_log_holds_what_a_reviewer_asks() -> None:
    text = "\n".join(proof_lines(ENTRIES))
    for part in (
        "4 e: 5 bad, 0 good, 1 other",
        "5 bad: hang: AP (first: boots/0000)",
        "1 other: panic",
        "status 1: error: no",
    ):
        assert part in text
    assert "long log" not in text
    assert "15 boots" in text


def test_what_is_left_shrinks() -> None:
    rows = bits_left(ENTRIES, STAGE)
    assert len(rows) == 15
    assert rows[-1][1] < rows[0][1]
    assert rows[-1][2] >= 2


@pytest.mark.parametrize(
    ("kind", "group", "said"),
    [
        (AnswerKind.FOUND, Group(3, 3, 0.97), "begins with d (probability 97%)"),
        (AnswerKind.GROUP, Group(2, 3, 0.97), "one of 2, which no boot can tell apart: c; d"),
        (AnswerKind.BEFORE, None, "good end has the failure too, 0 of 0, and the bad end 5 of 5"),
        (AnswerKind.ABSENT, None, "the bad end failed in 5 of 5 boots"),
        (AnswerKind.SWAPPED, None, "swapped"),
        (AnswerKind.UNDECIDED, None, "undecided after 15 boots"),
    ],
)
def test_each_answer_is_a_sentence_with_numbers(kind: AnswerKind, group: Group | None, said: str) -> None:
    assert said in answer_sentence(Answer(kind, group, 0.97), LABELS, known_of(ENTRIES, 0), STAGE.question)


def test_rates_on_both_sides_have_intervals() -> None:
    lines = rates_lines(Known({1: Tally(0, 9), 4: Tally(5, 5)}), 3)
    assert lines[0] == "before: 0 of 9 boots failed (95%: 0% to 34%)"
    assert lines[1].startswith("from there on: 5 of 10 boots failed (95%: 19%")


def test_what_each_candidate_ran_as_is_listed() -> None:
    switches: list[Entry] = [
        HostOpened("virtual", "6.1.0-e", "EPYC", 2),
        Switched(0, 4, "6.1.0-e", "ab" * 20, "", 17.0),
        Switched(0, 4, "6.1.0-e", "ab" * 20, "", 13.0),
        Switched(0, 1, "6.1.0-b", None, "only the release was compared: no notes", 10.0),
        Switched(1, 4, "6.1.0-other", None, "", 10.0),
    ]
    entries = [*ENTRIES, *switches]
    assert host_kernels([entry for entry in entries if entry.stage == 0], 4) == [
        "6.1.0-e (build id abababababab; put there 2 times, 30.0 s)"
    ]
    text = "\n".join(proof_lines(entries))
    assert "ran on the host as 6.1.0-b (only the release was compared: no notes; put there once, 10.0 s)" in text
    assert "3 switches of the host's kernel, 40.0 s in all" in text
    assert host_kernels([Switched(0, 4, "6.1.0-e", "ab" * 20, "", 0.0)], 4) == [
        "6.1.0-e (build id abababababab; it ran already)"
    ]
    assert "switches" not in "\n".join(proof_lines(ENTRIES))


def test_whether_one_may_be_left_out_is_a_line_without_a_posterior() -> None:
    stage = Stage(3, "differences of settings", ("with a", "b"), Question(1), {1: Tally(3, 1)})
    entries: list[Entry] = [stage, *[Booted(3, 0, "good", None, None, 2.0) for _ in range(10)], Checked(3, False)]
    assert proof_lines(entries) == ["check 4: with a, it does not fail by itself: 0 of 10 boots, 20.0 s"]


@pytest.mark.parametrize(
    ("probability", "said"), [(0.951, "95%"), (0.9944, "99.4%"), (0.9996, "above 99.9%"), (1.0, "above 99.9%")]
)
def test_no_answer_is_said_to_be_certain(probability: float, said: str) -> None:
    assert how_sure(probability) == said


def test_what_cannot_be_tested_by_itself_is_a_check_and_no_search() -> None:
    stage = Stage(1, "differences of settings", ("with a", "b"), Question(1), {1: Tally(4, 4)})
    boots = [Booted(1, 0, "other", "ERROR: host: QEMU did not start\nqemu: -device x", None, 1.0)] * 5
    entries = [stage, *boots, Untestable(1, 0, "5 boots were neither good nor bad")]
    said = "with a, it cannot be tested by itself: 5 boots were neither good nor bad"
    assert check_sentence(entries, stage) == said
    assert proof_lines(entries) == [f"check 2: {said}, 5 s"]
    assert check_sentence(entries[:-1], stage) is None
