from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import expect
from sample_trace import Event, ask_down, ask_up, call, calls, entry, facts, report, start, switch, within

from harness.checks.base import Status
from harness.checks.vmpl_switches import PerCall, VmplSwitchesCheck
from harness.evidence.vmpl import Cause
from harness.evidence.vmpl_fold import LIVE_LOCK_REPEATS

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE

# Two calls on vCPU 0 and one on vCPU 1, in the step, after both were started.
TRACE = facts([*start(0), *start(1), *within("calls", [*call(0), *call(0), *call(1)])])
REPORT = report(("calls", f"{calls(2)}\n{calls(1, cpu=1)}"))


def planes_call(vcpu: int) -> list[Event]:
    down, answered = ask_down(vcpu)
    return [down, entry(vcpu, None), *ask_up(vcpu), answered, entry(vcpu, None)]


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        ({"from": 2, "to": 0, "count": 3}, PASS, "completed switches VMPL2 to VMPL0: 3"),
        ({"from": 2, "to": 0, "count": 4}, FAIL, "3, expected 4 (-1)"),
        ({"from": 2, "to": 0, "count": 2}, FAIL, "3, expected 2 (+1)"),
        ({"from": 0, "to": 2, "count": 5}, PASS, "5"),
        ({"from": 0, "to": 2, "during": "calls", "count": 3}, PASS, "3"),
        ({"from": 0, "to": 1, "count": 0}, PASS, "0"),
        ({"at_least": 8}, PASS, "8"),
        ({"at_least": 9}, FAIL, "8, expected at least 9"),
        ({"at_most": 7}, FAIL, "8, expected at most 7"),
        ({"vcpu": 1, "to": 0, "count": 1}, PASS, "on vCPU 1: 1"),
        ({"vcpu": 1, "to": 0, "count": 2}, FAIL, "on vCPU 1: 1, expected 2"),
        ({"to": 0, "each_vcpu": 2}, FAIL, "vCPU 1 has 1 (-1)"),
        ({"of": "requested", "to": 0, "count": 3}, PASS, "requested switches"),
        ({"of": "refused", "count": 0}, PASS, "refused switches"),
        ({"cause": "guest request", "count": 3}, PASS, "guest request: 3"),
        ({"cause": "unrequested", "count": 0}, PASS, "0"),
        ({"cause": "unrequested", "at_least": 1}, FAIL, "0"),
        ({"per_second": 1_000_000}, PASS, "8"),
        ({"per_second": 10}, FAIL, "a second, expected at most 10"),
        ({"balanced": True}, PASS, ""),
    ],
)
def test_counts_by_vcpu_direction_cause_and_step(keys: dict[str, Any], status: Status, operand: str) -> None:
    expect(VmplSwitchesCheck.model_validate(keys), status, operand, trace=TRACE)


@pytest.mark.parametrize(
    ("told", "status", "operands"),
    [
        (REPORT, PASS, ["the guest made 3 calls and saw 3 answered"]),
        # Two witnesses that disagree: both numbers are said.
        (
            report(("calls", f"{calls(2)}\n{calls(2, cpu=1)}")),
            FAIL,
            ["VMPL0: 3", "made 4 calls", "expected 4 switches (-1)"],
        ),
        (
            report(("calls", f"{calls(2, 1)}\n{calls(1, cpu=1)}")),
            FAIL,
            ["made 3 calls and saw 2 answered", "1 unanswered"],
        ),
        (report(("calls", f"{calls(2)}\n{calls(1, cpu=1)}"), plan=2), INCONCLUSIVE, ["does not report its calls"]),
        (None, INCONCLUSIVE, ["does not report its calls"]),
    ],
)
def test_the_guests_own_count_is_confronted_with_the_trace(told: Any, status: Status, operands: list[str]) -> None:
    check = VmplSwitchesCheck(to_vmpl=0, during="calls", per_call=PerCall())
    expect(check, status, *operands, trace=TRACE, report=told)


def test_a_number_in_proportion_and_some_more() -> None:
    both = VmplSwitchesCheck(during="calls", per_call=PerCall(made=2))
    expect(both, PASS, trace=TRACE, report=REPORT)
    more = VmplSwitchesCheck(during="calls", per_call=PerCall(made=2, extra=1))
    expect(more, FAIL, "6", "expected 7", trace=TRACE, report=REPORT)
    of_one = VmplSwitchesCheck(to_vmpl=0, during="calls", vcpu=1, per_call=PerCall())
    expect(of_one, PASS, "made 1 calls", trace=TRACE, report=REPORT)


@pytest.mark.parametrize("end", [True, False])
def test_a_live_lock_is_named_also_where_the_trace_has_no_end_because_of_it(end: bool) -> None:
    refused = [event for _ in range(LIVE_LOCK_REPEATS) for event in (*ask_up(0, 0x16), entry(0, 0))]
    trace = facts([*start(0), *ask_down(0), switch(0, 2, 0), entry(0, 0), *refused], end=end)
    check = VmplSwitchesCheck(of="refused", at_least=0)
    expect(check, FAIL, "live-lock: vCPU 0", f"{LIVE_LOCK_REPEATS} times in vain for VMPL2", "0x16", trace=trace)


def test_as_many_refusals_less_one_are_no_live_lock() -> None:
    refused = [event for _ in range(LIVE_LOCK_REPEATS - 1) for event in (*ask_up(0, 0x16), entry(0, 0))]
    trace = facts([*start(0), *ask_down(0), switch(0, 2, 0), entry(0, 0), *refused])
    expect(VmplSwitchesCheck(of="refused", count=0), FAIL, "7, expected 0", trace=trace)


@pytest.mark.parametrize(
    ("more", "status", "operand"),
    [
        ([], PASS, ""),
        # It went down and stayed there.
        ([*ask_down(0), switch(0, 2, 0), entry(0, 0)], PASS, ""),
        (
            [*ask_down(0), switch(0, 2, 0), entry(0, 0), switch(0, 2, 0), entry(0, 0)],
            FAIL,
            "vCPU 0 switched to VMPL0 +1",
        ),
    ],
)
def test_down_and_up_are_balanced_at_the_end(more: list[Event], status: Status, operand: str) -> None:
    trace = facts([*start(0), *start(1), *more])
    expect(VmplSwitchesCheck(balanced=True), status, operand, trace=trace)


def test_a_switch_that_nobody_asked_for_has_its_cause() -> None:
    trace = facts([*start(0), switch(0, 2, 0), entry(0, 0), *ask_up(0), switch(0, 0, 2), entry(0)])
    expect(VmplSwitchesCheck(cause=Cause.UNREQUESTED, count=0), FAIL, "unrequested: 1", trace=trace)


def test_planes_say_that_switches_are_inferred() -> None:
    trace = facts([*ask_up(0), entry(0, None), *planes_call(0), *planes_call(0)], "planes-v1")
    expect(VmplSwitchesCheck(from_vmpl=2, to_vmpl=0, count=2), PASS, "2 (inferred", trace=trace)
    expect(VmplSwitchesCheck(of="requested", to_vmpl=0, count=2), PASS, trace=trace)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "any number would pass"),
        ({"from": 2, "to": 0}, "any number would pass"),
        ({"cause": "unrequested", "of": "refused", "count": 0}, "leave out one of cause and of"),
        ({"count": -1}, "greater than or equal to 0"),
        ({"to": 4, "count": 1}, "less than or equal to 3"),
        ({"cause": "magic", "count": 1}, "guest request"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        VmplSwitchesCheck.model_validate(keys)


def _idle_and_calls(idle: int, extra: int) -> Any:
    # Three calls that were asked for and some that were not, after a step in which the guest did nothing.
    return facts(
        [
            *start(0),
            *within("idle", [event for _ in range(idle) for event in call(0)] + [entry(0, 2)] * 400),
            *within("calls", [event for _ in range(3 + extra) for event in call(0)]),
        ]
    )


@pytest.mark.parametrize(
    ("idle", "extra", "status", "says"),
    [
        (0, 0, PASS, "idle, 0 in"),
        (0, 1, FAIL, "expected 3 (+1)"),
        (4, 0, PASS, "may be its own"),
        (4, 2, PASS, "may be its own"),
        (2, 40, FAIL, "expected 3 (+40)"),
        (40, -1, FAIL, "expected 3 (-1)"),
    ],
)
def test_what_comes_while_idle_may_come_on_top_and_nothing_else(
    idle: int, extra: int, status: Status, says: str
) -> None:
    keys = {"from": 2, "to": 0, "during": "calls", "count": 3, "idle": "idle"}
    expect(VmplSwitchesCheck.model_validate(keys), status, says, trace=_idle_and_calls(idle, extra))


def test_without_its_idle_step_nothing_is_known_of_the_noise() -> None:
    keys = {"from": 2, "to": 0, "during": "calls", "count": 3, "idle": "rest"}
    expect(VmplSwitchesCheck.model_validate(keys), INCONCLUSIVE, "no whole step 'rest'", trace=TRACE)
    with pytest.raises(ValidationError, match="idle says what may come on top of count"):
        VmplSwitchesCheck.model_validate({"at_least": 1, "idle": "rest"})
