from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.checks.base import Status
from harness.checks.report import ReportCheck

from .model_trace import expect

WHOLE = "KTAP version 1\n1..3\nok 1 a\nok 2 b # SKIP no such device\nok 3 c\n"
BAD = "KTAP version 1\n1..2\nnot ok 1 a\nok 2 b\n"
CUT = "KTAP version 1\n1..3\nok 1 a\n"
CUT_BAD = "KTAP version 1\n1..3\nnot ok 1 a\n"


@pytest.mark.parametrize(
    ("fields", "report", "status", "operands"),
    [
        ({}, WHOLE, Status.PASS, ["3 results, 1 skipped, none bad"]),
        ({"skips": 1}, WHOLE, Status.PASS, []),
        ({"skips": 0}, WHOLE, Status.FAIL, ["1 skipped", "at most 0 skipped"]),
        ({"at_least": 3}, WHOLE, Status.PASS, []),
        ({"at_least": 4}, WHOLE, Status.FAIL, ["3 results", "at least 4"]),
        ({}, BAD, Status.FAIL, ["1 of 2 not ok: a"]),
        ({}, CUT, Status.INCONCLUSIVE, ["not whole: ", "fewer results than planned"]),
        ({}, CUT_BAD, Status.FAIL, ["1 of 1 not ok: a"]),  # a failure that was seen is proven
        ({}, "", Status.INCONCLUSIVE, ["no report"]),
        ({}, None, Status.INCONCLUSIVE, ["gives no report"]),
    ],
)
def test_what_the_payload_found(
    fields: dict[str, Any], report: str | None, status: Status, operands: list[str]
) -> None:
    expect(ReportCheck(**fields), status, *operands, found=None, report=report)


def test_a_report_of_nothing_cannot_be_expected() -> None:
    with pytest.raises(ValidationError):
        ReportCheck(at_least=0)
