from __future__ import annotations

from typing import Any

import pytest
from sample_facts import evidence, step

from checks.host_facts import host
from harness.checks.base import Status, worst
from harness.checks.console import ConsoleCheck
from harness.checks.judge import judge
from harness.checks.outcome import OutcomeCheck
from harness.checks.report import ReportCheck
from harness.classify.outcome import OutcomeKind
from harness.evidence.host_log import LogDelta
from harness.evidence.ktap import parse_ktap
from harness.evidence.records import HOST, Loss, QemuEnd, StepStatus
from harness.scenario.expectation import Expectation

PASS, FAIL, ERROR, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.ERROR, Status.INCONCLUSIVE
LINUX = ConsoleCheck(contains=("Linux",))


def _judged(*expect: Expectation, **facts: Any) -> list[tuple[str, Status]]:
    return [(verdict.check, verdict.status) for verdict in judge(expect, evidence(**facts))]


def test_every_boot_must_be_ready_unless_the_scenario_says_else() -> None:
    assert _judged() == [("outcome", PASS)]
    assert _judged(LINUX) == [("outcome", PASS), ("console", PASS)]
    assert _judged(LINUX, ready_s=None, gave_up_s=9.0) == [("outcome", FAIL), ("console", PASS)]
    hang = OutcomeCheck(kind=OutcomeKind.HANG)
    assert _judged(LINUX, hang, ready_s=None, gave_up_s=9.0) == [("console", PASS), ("outcome", PASS)]


def test_a_payload_that_can_end_qemu_must_do_so() -> None:
    assert _judged(debug_exit=True) == [("outcome", FAIL)]
    assert _judged(debug_exit=True, qemu_end=QemuEnd(33, asked=False)) == [("outcome", PASS)]


@pytest.mark.parametrize(
    ("steps", "status", "reason"),
    [
        ([step("a"), step("b")], None, ""),
        ([step("a"), step("b", StepStatus.FAILED, reason="exit status 1, not 0")], FAIL, "b: exit status 1, not 0"),
        ([step("a", StepStatus.LATE, reason="not done"), step("b", StepStatus.NOT_REACHED)], FAIL, "a: not done"),
        ([step("a", StepStatus.REFUSED, reason="no such command")], ERROR, "scenario: step a: no such command"),
        ([step("a"), step("b", StepStatus.NOT_REACHED)], INCONCLUSIVE, "step b was not reached"),
    ],
)
def test_the_first_step_that_went_wrong_is_the_finding(steps: list[Any], status: Status | None, reason: str) -> None:
    verdicts = judge([LINUX], evidence(steps=tuple(steps)))
    assert [verdict.check for verdict in verdicts[:2]] == ["outcome", "console"]
    assert [(v.check, v.status) for v in verdicts[2:]] == ([] if status is None else [("steps", status)])
    assert all(reason in verdict.reason for verdict in verdicts[2:])
    assert worst([verdict.status for verdict in verdicts]) is (status or PASS)


def test_a_host_that_broke_while_the_guest_ran_is_the_finding() -> None:
    fine = host(log=LogDelta(("[ 1.0] br0: up",), 1 << 9, 1 << 9))
    assert _judged(LINUX, host=fine) == [("outcome", PASS), ("console", PASS)]
    hurt = host(log=LogDelta(("[ 1.0] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!",), 0, 1 << 14))
    assert _judged(LINUX, host=hurt)[2:] == [("host", FAIL)]
    (verdict,) = (verdict for verdict in judge([], evidence(host=hurt)) if verdict.check == "host")
    assert "host lab1, its kernel was hurt (taint - to L): BUG: soft lockup" in verdict.reason


def test_a_host_that_was_hurt_before_makes_everything_unknown() -> None:
    facts = {"losses": (Loss(HOST, "host lab1 was hurt by an earlier boot"),), "ready_s": None, "gave_up_s": 9.0}
    assert _judged(LINUX, **facts) == [("host", INCONCLUSIVE)]


def test_what_cannot_judge_is_a_bug() -> None:
    class Stranger(Expectation):
        """Be no check."""

        key = "stranger"

    with pytest.raises(TypeError, match="stranger cannot judge"):
        judge([Stranger()], evidence())


def test_a_report_is_judged_unless_the_scenario_says_how() -> None:
    bad = parse_ktap([b"KTAP version 1\n1..1\nnot ok 1 a\n"])
    assert _judged(LINUX, report=bad) == [("outcome", PASS), ("console", PASS), ("report", FAIL)]
    assert _judged(ReportCheck(), LINUX, report=bad) == [("outcome", PASS), ("report", FAIL), ("console", PASS)]
