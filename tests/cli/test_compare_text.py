from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from compare.imaginary_arms import arm_of, imaginary_arms

from harness.cli.compare_text import document, kinds_rows, notes, sentences, status_of_all, times_rows
from harness.cli.exit_status import ExitStatus
from harness.compare.arms import Arm
from harness.compare.findings import Comparison, compare_arms


def _compare(*arms: Arm) -> Comparison:
    (found,) = compare_arms(arms, 0.95)
    return found


CLEAR = _compare(arm_of("A", "F" * 12 + "." * 28), arm_of("B", "." * 40))
SAME = _compare(arm_of("A", "." * 30), arm_of("B", "F" + "." * 29))
UNSURE = _compare(arm_of("A", "F" * 8 + "." * 12), arm_of("B", "." * 20 + "?" * 8))
SILENT = _compare(arm_of("A", "...."), arm_of("B", "????"))
SLOWER = _compare(*imaginary_arms(np.random.default_rng(3), 40, (0.0, 0.0), slower=1.6))


def test_the_first_sentence_says_it_all() -> None:
    assert sentences(CLEAR) == [
        "B (setting B) fails less often than A (setting A): 0 of 40 boots (0%) against 12 of 40 boots (30%) "
        "(95% interval of the difference -46.5% to -16.5%, exact; p < 0.0001)"
    ]
    turned = _compare(CLEAR.other, CLEAR.reference)
    assert sentences(turned)[0].startswith("A (setting A) fails more often than B (setting B): 12 of 40 boots (30%)")
    assert sentences(SAME)[0].startswith("no difference between the failure rates of B (setting B) and A (setting A)")
    assert "8 boots told nothing" in sentences(UNSURE)[0]
    assert sentences(SILENT) == ["nothing can be compared: no boot of B (setting B) told anything"]


def test_times_that_differ_have_a_sentence_each() -> None:
    first, *others = sentences(SLOWER)
    assert first.startswith("no difference")
    assert any(text.startswith("the phase kernel takes ") and "longer in B" in text for text in others)
    assert not any("firmware" in text for text in others)
    faster = sentences(_compare(SLOWER.other, SLOWER.reference))
    assert any("less time in A" in text for text in faster)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (CLEAR, ExitStatus.PASSED),
        (_compare(CLEAR.other, CLEAR.reference), ExitStatus.FAILED),
        (SAME, ExitStatus.PASSED),
        (UNSURE, ExitStatus.INCONCLUSIVE),
        (SILENT, ExitStatus.INCONCLUSIVE),
        (SLOWER, ExitStatus.FAILED),
    ],
)
def test_only_what_is_worse_fails(found: Comparison, status: ExitStatus) -> None:
    assert status_of_all([found]) is status
    assert status_of_all([SAME, found]) is status


def test_tables_have_a_row_for_each_kind_and_time() -> None:
    assert kinds_rows(CLEAR)[1:] == [("12", "0", "-", "guest-panic: x")]
    rows = times_rows(SLOWER)
    assert [row[0] for row in rows] == ["time", "start-up", "firmware", "kernel", "init", "network", "ssh"]
    assert {len(row) for row in rows} == {9}
    assert rows[3][-1] == "differs"


def test_what_the_numbers_rest_on_is_said() -> None:
    assert "at most 5% of all comparisons claim" in notes([SAME])[-1]
    assert any("8 boots of B told nothing" in note for note in notes([UNSURE]))
    a, b = SLOWER.reference, SLOWER.other
    apart = [replace(arm, boots=tuple(replace(boot, block=None) for boot in arm.boots)) for arm in (a, b)]
    found = _compare(*apart)
    assert any("not made side by side" in note for note in notes([found]))
    seldom = replace(SLOWER, times=(*SLOWER.times[:-1], replace(SLOWER.times[-1], paired=None, corrected=None)))
    assert notes([seldom])[0] == "ssh: described, not tested, since no two neighbouring boots both got that far"
    assert times_rows(found)[1][4:9] == ("-", times_rows(found)[1][5], "-", "-", "")


def test_the_document_is_json_even_where_an_interval_has_no_end() -> None:
    few = _compare(*imaginary_arms(np.random.default_rng(3), 4, (0.0, 0.0)))
    text = json.dumps(document(few), allow_nan=False)
    assert json.loads(text)["times"][0]["paired"]["high"] is None
    assert json.loads(json.dumps(document(CLEAR)))["rates"]["shown"] is True
