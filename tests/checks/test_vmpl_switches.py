from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.checks.base import Place, Status
from harness.checks.vmpl_switches import VmplSwitchesCheck

from .model_trace import Event, call, down, entry, expect, step, trace, up

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE
START = [entry(0, 2), entry(1, 2)]
# Three calls on vCPU 0, one on vCPU 1.
CALLS = [*START, *step("calls", [*call(0), *call(1), *call(0), *call(0)])]


@pytest.mark.parametrize(
    ("fields", "status", "operands"),
    [
        ({"count": 8}, PASS, ["completed switches any VMPL to any VMPL: 8"]),
        ({"count": 7}, FAIL, [": 8", "expected 7 (+1)"]),
        ({"count": 9}, FAIL, ["expected 9 (-1)"]),
        ({"from_vmpl": 2, "to_vmpl": 0, "count": 4}, PASS, ["VMPL2 to VMPL0: 4"]),
        ({"from_vmpl": 0, "to_vmpl": 2, "count": 4}, PASS, []),
        ({"from_vmpl": 2, "to_vmpl": 1, "count": 0}, PASS, []),
        ({"to_vmpl": 0, "vcpu": 1, "count": 1}, PASS, ["on vCPU 1: 1"]),
        ({"to_vmpl": 0, "vcpu": 1, "count": 3}, FAIL, ["on vCPU 1: 1", "expected 3 (-2)"]),
        ({"to_vmpl": 0, "each_vcpu": 1}, FAIL, ["expected 1 on each vCPU: vCPU 0 has 3 (+2)"]),
        ({"to_vmpl": 0, "at_least": 4}, PASS, []),
        ({"to_vmpl": 0, "at_least": 5}, FAIL, ["at least 5"]),
        ({"to_vmpl": 0, "at_most": 4}, PASS, []),
        ({"to_vmpl": 0, "at_most": 3}, FAIL, ["at most 3"]),
        ({"of": "requested", "count": 8}, PASS, ["requested switches"]),
        ({"of": "refused", "count": 0}, PASS, []),
        ({"of": "refused", "count": 1}, FAIL, ["refused", "(-1)"]),
        ({"cause": "guest request", "count": 4}, PASS, []),
        ({"balanced": True}, PASS, []),
    ],
)
def test_switches_are_counted(fields: dict[str, Any], status: Status, operands: list[str]) -> None:
    expect(VmplSwitchesCheck(**fields), status, *operands, found=trace(CALLS))


def test_a_vcpu_that_stayed_below_is_out_of_balance() -> None:
    found = trace([*START, *call(0), *call(1), *down(1)])
    expect(VmplSwitchesCheck(balanced=True), FAIL, "vCPU 1 switched to VMPL0 +1 times", found=found)


@pytest.mark.parametrize(
    ("made", "answered", "status", "operand"),
    [
        (3, 3, PASS, "the guest made 3 calls and saw 3 answered"),
        (4, 4, FAIL, "expected 4 switches (-1)"),
        (2, 2, FAIL, "expected 2 switches (+1)"),
        (3, 2, FAIL, "1 unanswered"),
    ],
)
def test_the_guest_is_the_second_witness(made: int, answered: int, status: Status, operand: str) -> None:
    check = VmplSwitchesCheck.model_validate({"to": 0, "during": "calls", "per_call": {}, "vcpu": 0})
    report = f"KTAP version 1\n1..1\n# calls cpu=0 made={made} answered={answered}\nok 1 calls\n"
    expect(check, status, operand, found=trace(CALLS), report=report)


@pytest.mark.parametrize("report", [None, "", "KTAP version 1\n1..2\n# calls cpu=0 made=3 answered=3\nok 1 calls\n"])
def test_a_witness_that_is_missing_or_cut_short_proves_nothing(report: str | None) -> None:
    check = VmplSwitchesCheck.model_validate({"to": 0, "per_call": {}})
    expect(check, INCONCLUSIVE, "does not report its calls", found=trace(CALLS), report=report)


def test_the_first_switch_that_is_odd_is_pointed_at() -> None:
    refused: list[Event] = [
        (1, "kvm_vmgexit_msr_protocol_enter", "vcpu 1, ghcb_gpa 0000000200000016"),
        (1, "kvm_vmgexit_msr_protocol_exit", "vcpu 1, ghcb_gpa 0000000100000017, result 1"),
        entry(1, 0),
    ]
    found = trace([*START, *call(0), *down(1), *refused, *up(1)])
    verdict = expect(VmplSwitchesCheck(of="refused", count=0), FAIL, "refused", found=found)
    assert isinstance(verdict.at, Place)
    assert verdict.at.vcpu == 1


@pytest.mark.parametrize(
    "bad", [{}, {"from": 2, "to": 0}, {"from": 4, "count": 1}, {"cause": "guest request", "of": "refused", "count": 1}]
)
def test_what_is_refused_at_loading(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VmplSwitchesCheck.model_validate(bad)
