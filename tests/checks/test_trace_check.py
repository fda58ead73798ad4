from __future__ import annotations

import pytest
from sample_facts import lost

from harness.checks.base import Status
from harness.checks.vmpl_switches import VmplSwitchesCheck
from harness.evidence.trace import TraceFacts, read_trace

from .model_trace import call, entry, expect, step, text, trace

GOOD = [entry(0, 2), *step("calls", call())]
CHECK = VmplSwitchesCheck(count=2)
# What an empty trace would satisfy.
NONE = VmplSwitchesCheck(count=0, balanced=True)


def test_a_whole_trace_is_judged() -> None:
    expect(CHECK, Status.PASS, found=trace(GOOD))
    expect(CHECK, Status.FAIL, found=trace([*GOOD, *call()]))


@pytest.mark.parametrize(
    ("found", "operand"),
    [
        (None, "no trace"),
        (trace([], ended=False), "the trace is empty"),
        (read_trace([], 2), "the trace is empty"),
        (trace(GOOD, ended=False), "the trace is not whole: "),
        (trace(GOOD[:3] + GOOD[4:], header="flavour=unheard"), "no tracepoint, field or symbol"),
    ],
)
def test_a_trace_that_is_missing_cut_or_not_understood_proves_nothing(found: TraceFacts | None, operand: str) -> None:
    for check in (CHECK, NONE):
        expect(check, Status.INCONCLUSIVE, operand, found=found)


def test_a_lost_trace_proves_nothing() -> None:
    expect(CHECK, Status.INCONCLUSIVE, "trace: the disk was full", found=trace(GOOD), losses=lost("trace"))
    expect(CHECK, Status.PASS, found=trace(GOOD), losses=lost("console"))


def test_a_trace_without_any_one_of_its_lines_proves_nothing() -> None:
    rows = text(GOOD).splitlines(keepends=True)
    for number in range(1, len(rows)):
        found = read_trace([b"".join(rows[:number] + rows[number + 1 :])], 2)
        for check in (CHECK, NONE):
            expect(check, Status.INCONCLUSIVE, found=found)


def test_only_the_step_that_is_named_counts() -> None:
    found = trace([*GOOD, *step("more", [*call(), *call()])])
    expect(VmplSwitchesCheck(count=2, during="calls"), Status.PASS, found=found)
    expect(VmplSwitchesCheck(count=4, during="more"), Status.PASS, found=found)
    expect(VmplSwitchesCheck(count=6), Status.PASS, found=found)
    expect(
        VmplSwitchesCheck(count=0, during="none"),
        Status.INCONCLUSIVE,
        "no step 'none'; it has calls, more",
        found=found,
    )
