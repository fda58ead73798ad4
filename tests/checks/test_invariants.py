from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.checks.base import Status
from harness.checks.invariants import InvariantsCheck

from .model_trace import call, entry, expect, irq, step, trace

FOUND = trace([entry(0, 2), *step("calls", [*call(), *call()]), *step("irqs", irq())])
REPORT = "KTAP version 1\n1..1\n# calls cpu=0 made=2 answered=2\nok 1 calls\n"


@pytest.mark.parametrize(
    ("hold", "status", "operands"),
    [
        ("switches.down == switches.up", Status.PASS, ["1 hold: switches.down == switches.up"]),
        ("switches.down == guest.calls_answered", Status.PASS, []),
        ("switches.completed == 2 * guest.calls_made", Status.PASS, []),
        ("switches.down == guest.calls_made + 1", Status.FAIL, ["guest.calls_made = 2, switches.down = 2"]),
        ("irqs.raised == irqs.accepted == irqs.delivered == 1", Status.PASS, []),
        ("irqs.raised == irqs.accepted == irqs.delivered == 2", Status.FAIL, ["irqs.raised = 1"]),
        ("irqs.lost + irqs.duplicated + irqs.misrouted == 0", Status.PASS, []),
        ("1 < vcpus <= 2", Status.PASS, []),
        ("vcpus - 1 > 1", Status.FAIL, ["vcpus = 2"]),
        ("events.kvm_eoi == 1", Status.PASS, []),
        ("events.kvm_eoi != 1", Status.FAIL, ["events.kvm_eoi = 1"]),
        ("events.kvm_unheard == 0", Status.PASS, []),
    ],
)
def test_relations_between_counts(hold: str, status: Status, operands: list[str]) -> None:
    expect(InvariantsCheck(hold=(hold,)), status, *operands, found=FOUND, report=REPORT)


def test_a_step_narrows_the_counts() -> None:
    check = InvariantsCheck(hold=("switches.down == 0", "irqs.delivered == 1"), during="irqs")
    expect(check, Status.PASS, "2 hold", found=FOUND)
    expect(InvariantsCheck(hold=("irqs.delivered == 1",), during="calls"), Status.FAIL, found=FOUND)


def test_the_first_that_does_not_hold_is_named() -> None:
    check = InvariantsCheck(hold=("vcpus == 2", "vcpus == 3", "vcpus == 4"))
    expect(check, Status.FAIL, "vcpus == 3 does not hold", found=FOUND)


@pytest.mark.parametrize(
    ("hold", "says"),
    [
        ("switches.down", "compares nothing"),
        ("switches.down =", "is no expression"),
        ("switches.dwn == 1", r"no quantity 'switches.dwn'.*switches\.down"),
        ("__import__('os').system('id') == 0", "only names, numbers"),
        ("switches.down.__class__ == 1", "no quantity"),
        ("vcpus / 2 == 1", "only names, numbers"),
        ("vcpus ** 99 == 1", "only names, numbers"),
        ("vcpus == True", "only names, numbers"),
        ("'a' == 'a'", "only names, numbers"),
        ("vcpus in (1, 2)", "only names, numbers"),
        ("vcpus == " + "1 + " * 200 + "1", "at most 500 characters"),
        ("(" * 400 + "1" + ")" * 400 + " == 1", "is no expression|at most"),
    ],
)
def test_what_is_refused_at_loading(hold: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        InvariantsCheck(hold=(hold,))
