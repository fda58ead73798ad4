"""``kvm_selftests``: programs that pass, fail, are skipped, or were never run."""

from __future__ import annotations

from typing import Any

import pytest
from sample_facts import expect, step

from harness.checks.base import Status
from harness.checks.kvm_selftests import KvmSelftestsCheck
from harness.evidence.records import StepStatus
from harness.evidence.selftests import Selftest, render_selftests

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def ran(**statuses: int | None) -> str:
    """Write the report of programs by their exit status."""
    return render_selftests([Selftest(name, status, False, 0.5, b"", b"") for name, status in statuses.items()])


@pytest.mark.parametrize(
    ("keys", "output", "status", "operand"),
    [
        ({}, ran(a=0, b=0), PASS, "2 selftests: 2 passed, 0 failed, 0 skipped"),
        ({}, ran(a=0, b=4), PASS, "1 passed, 0 failed, 1 skipped"),
        ({}, ran(a=0, b=1), FAIL, "2 selftests: 1 passed, 1 failed, 0 skipped: b"),
        ({}, ran(a=0, b=None), FAIL, "1 failed, 0 skipped: b"),
        ({}, ran(a=4, b=4), FAIL, "expected at least 1 passed"),
        ({"at_least": 3}, ran(a=0, b=0), FAIL, "expected at least 3 passed"),
        ({"skips": 0}, ran(a=0, b=4), FAIL, "expected at most 0 skipped"),
        ({"skips": 1}, ran(a=0, b=4), PASS, ""),
        ({"passed": ("a",)}, ran(a=0, b=4), PASS, ""),
        ({"passed": ("b",)}, ran(a=0, b=4), FAIL, "b was skipped"),
        ({"passed": ("svm_*",)}, ran(a=0, svm_vmcall_test=0), PASS, ""),
        ({"passed": ("svm_*",)}, ran(a=0, vmx_test=0), FAIL, "svm_* was not run"),
        ({}, ran(a=0, b=0).replace("ok 2 b\n", ""), INCONCLUSIVE, "the report is not whole"),
        ({}, ran(a=1, b=0).replace("ok 2 b\n", ""), FAIL, "1 failed, 0 skipped: a"),
        ({}, "", INCONCLUSIVE, "ran no selftest"),
    ],
)
def test_programs_are_judged(keys: dict[str, Any], output: str, status: Status, operand: str) -> None:
    check = KvmSelftestsCheck.model_validate(keys)
    assert check.steps_named() == ("kvm_selftests",)
    expect(check, status, operand, steps=(step("kvm_selftests", output=output),))


def test_a_subtest_that_failed_is_named_with_its_program() -> None:
    tap = b"TAP version 13\n1..1\nnot ok 1 get_regs\n"
    output = render_selftests([Selftest("sync_regs_test", 0, False, 0.5, tap, b"")])
    expect(KvmSelftestsCheck(), FAIL, "sync_regs_test / get_regs", steps=(step("kvm_selftests", output=output),))


@pytest.mark.parametrize(
    "steps", [(), (step("kvm_selftests", StepStatus.NOT_REACHED),), (step("other", output=ran(a=0)),)]
)
def test_a_step_that_did_not_run_decides_nothing(steps: Any) -> None:
    expect(KvmSelftestsCheck(), INCONCLUSIVE, "step kvm_selftests ran no selftest", steps=steps)
