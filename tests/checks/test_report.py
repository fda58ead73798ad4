from __future__ import annotations

import pytest
from sample_facts import expect
from sample_trace import calls, report

from harness.checks.base import Status
from harness.checks.report import ReportCheck
from harness.evidence.ktap import parse_ktap
from harness.evidence.subresults import Report

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE

GOOD = report(("boot", ""), ("calls", calls(1)))
SKIPPED = parse_ktap([b"KTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP no such CPU\n"])


@pytest.mark.parametrize(
    ("check", "told", "status", "operand"),
    [
        (ReportCheck(), GOOD, PASS, "2 results, 0 skipped, none bad"),
        (ReportCheck(at_least=2), GOOD, PASS, ""),
        (ReportCheck(at_least=3), GOOD, FAIL, "2 results, 0 skipped, none bad, expected at least 3"),
        (ReportCheck(), report(("boot", ""), ("calls", ""), failed=["calls"]), FAIL, "1 of 2 not ok: calls"),
        (ReportCheck(), SKIPPED, PASS, "1 skipped"),
        (ReportCheck(skips=1), SKIPPED, PASS, ""),
        (ReportCheck(skips=0), SKIPPED, FAIL, "expected at most 0 skipped"),
        (ReportCheck(), None, INCONCLUSIVE, "gives no report"),
        # Cut: INCONCLUSIVE, unless a failure is there already.
        (ReportCheck(), report(("boot", ""), plan=2), INCONCLUSIVE, "fewer results than planned"),
        (ReportCheck(), report(("boot", ""), plan=2, failed=["boot"]), FAIL, "1 of 1 not ok: boot"),
        (ReportCheck(), parse_ktap([b""]), INCONCLUSIVE, "no report"),
        (ReportCheck(), parse_ktap([b"KTAP version 1\n1..1\nok 1 boot\n# total calls ma"]), INCONCLUSIVE, "has no end"),
        (ReportCheck(), parse_ktap([b"KTAP version 1\n1..1\nBail out! no CPU\n"]), INCONCLUSIVE, "gave up"),
    ],
)
def test_every_result_must_be_there_and_good(
    check: ReportCheck, told: Report | None, status: Status, operand: str
) -> None:
    expect(check, status, operand, report=told)


def test_only_the_first_failures_are_named() -> None:
    names = [f"t{number}" for number in range(9)]
    told = report(*((name, "") for name in names), failed=names)
    expect(ReportCheck(), FAIL, "9 of 9 not ok: t0; t1; t2", report=told)
