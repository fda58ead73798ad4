from __future__ import annotations

import pytest
from pydantic import ValidationError
from sample_facts import expect, lost, step

from harness.checks.base import Status
from harness.checks.guest import GuestCheck, Number
from harness.evidence.records import StepStatus

CPUS = Number(pattern="^cpus ([0-9.x-]+|)$", at_least=2, at_most=4)


@pytest.mark.parametrize(
    ("check", "status", "operands"),
    [
        (GuestCheck(step="q", status=3), Status.PASS, ["exit status 3", "'one cpus 3'"]),
        (GuestCheck(step="q", status=0), Status.FAIL, ["exit status 3, not 0", "'one cpus 3'"]),
        (GuestCheck(step="q", matches="^cpus"), Status.PASS, []),
        (GuestCheck(step="q", matches="^two"), Status.FAIL, ["no match of '^two'", "'one cpus 3'"]),
        (GuestCheck(step="q", lacks="two"), Status.PASS, []),
        (GuestCheck(step="q", lacks="c.us"), Status.FAIL, ["'cpus' in 'one cpus 3'"]),
        (GuestCheck(step="q", number=CPUS), Status.PASS, ["q: 3, expected at least 2 and at most 4"]),
        (GuestCheck(step="q", status=3, matches="one", lacks="two", number=CPUS), Status.PASS, []),
        (GuestCheck(step="q", status=3, matches="one", lacks="one", number=CPUS), Status.FAIL, ["'one'"]),
    ],
)
def test_what_a_command_answered(check: GuestCheck, status: Status, operands: list[str]) -> None:
    expect(check, status, *operands, steps=(step("q", exit_status=3, output="one\ncpus 3\n"),))


@pytest.mark.parametrize(
    ("output", "status", "operand"),
    [
        ("cpus 2", Status.PASS, "2, expected at least 2 and at most 4"),
        ("cpus 4.0", Status.PASS, "4.0"),
        ("cpus 1", Status.FAIL, "1, expected at least 2"),
        ("cpus 5", Status.FAIL, "5, expected at least 2 and at most 4"),
        ("cpus -3", Status.FAIL, "-3"),
        ("cpus x", Status.FAIL, "'x' is no number"),
        ("cpus ", Status.FAIL, "'' is no number"),
        ("memory 3", Status.FAIL, "no match of"),
    ],
)
def test_a_number_in_the_output(output: str, status: Status, operand: str) -> None:
    expect(GuestCheck(step="q", number=CPUS), status, operand, steps=(step("q", exit_status=0, output=output),))


def test_a_group_that_took_no_part_is_no_number() -> None:
    check = GuestCheck(step="q", number=Number(pattern="a|(b)", equals=1))
    expect(check, Status.FAIL, "None is no number", steps=(step("q", exit_status=0, output="a"),))


@pytest.mark.parametrize(
    ("steps", "status", "operand"),
    [
        ((), Status.INCONCLUSIVE, "step q was never run"),
        ((step("q", StepStatus.NOT_REACHED),), Status.INCONCLUSIVE, "step q was never run"),
        ((step("q", StepStatus.LATE, reason="not done after 5 s"),), Status.FAIL, "not done after 5 s"),
        ((step("q", StepStatus.FAILED, reason="SSH was lost"),), Status.FAIL, "SSH was lost"),
        ((step("q"),), Status.FAIL, "no answer"),
    ],
)
def test_a_command_that_did_not_answer(steps: tuple[object, ...], status: Status, operand: str) -> None:
    expect(GuestCheck(step="q", status=0), status, operand, steps=steps)


def test_the_output_is_cut_for_the_reason_and_stays_one_line() -> None:
    output = "word\n" * 100
    expect(GuestCheck(step="q", status=0), Status.PASS, "wo...'", steps=(step("q", exit_status=0, output=output),))


def test_a_lost_console_does_not_concern_what_came_over_ssh() -> None:
    expect(GuestCheck(step="q", status=0), Status.PASS, steps=(step("q", exit_status=0),), losses=lost("console"))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"step": "q"}, "any answer would pass"),
        ({"step": "", "status": 0}, "at least 1 character"),
        ({"step": "q", "number": {"pattern": "(.)"}}, "any number would pass"),
        ({"step": "q", "number": {"pattern": ".", "equals": 1}}, "needs a group"),
    ],
)
def test_what_is_refused_at_loading(bad: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GuestCheck.model_validate(bad)


def test_the_step_is_named_for_loading() -> None:
    assert GuestCheck(step="q", status=0).steps_named() == ("q",)
