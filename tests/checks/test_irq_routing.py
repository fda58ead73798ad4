from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.checks.base import Status
from harness.checks.irq_routing import IrqRoutingCheck

from .model_trace import Event, entry, expect, irq, step, trace

PASS, FAIL = Status.PASS, Status.FAIL
START = [entry(0, 2), entry(1, 2)]
GOOD: list[Event] = [*START, *step("irqs", [*irq(0), *irq(1), *irq(0)])]
RAISED, ACCEPTED, INJECTED, ENTERED, ENDED = irq(0)


@pytest.mark.parametrize(
    ("events", "fields", "status", "operands"),
    [
        (GOOD, {"count": 3, "vmpl": 2}, PASS, ["3 raised, 3 accepted, 3 delivered"]),
        (GOOD, {"count": 4}, FAIL, ["3 delivered", "expected 4 (-1)"]),
        (GOOD, {"at_least": 4}, FAIL, ["expected at least 4"]),
        (GOOD, {"vcpu": 0}, FAIL, ["1 not on vCPU 0, the first on vCPU 1"]),
        (GOOD, {"vmpl": 0}, FAIL, ["3 not to VMPL0, the first to VMPL2", "vector 0x31 on vCPU 0"]),
        ([*GOOD, *irq(0, vmpl=0)], {"vmpl": 2}, FAIL, ["1 not to VMPL2, the first to VMPL0"]),
        ([*GOOD, RAISED], {}, FAIL, ["1 lost: raised and never accepted"]),
        ([*GOOD, RAISED, ACCEPTED], {}, FAIL, ["1 accepted and never delivered"]),
        ([*GOOD, RAISED, ACCEPTED], {"pending": 1}, PASS, []),
        ([*GOOD, *irq(0, accepted_by=1)], {}, FAIL, ["accepted"]),
        ([*GOOD, INJECTED, ENTERED, ENDED], {}, FAIL, ["1 injected and never accepted"]),
        ([*GOOD, *irq(0, vector=50)], {"count": 3}, PASS, []),  # another vector is not meant
    ],
)
def test_where_interrupts_went(
    events: list[Event], fields: dict[str, Any], status: Status, operands: list[str]
) -> None:
    expect(IrqRoutingCheck(vector=49, **fields), status, *operands, found=trace(events))


@pytest.mark.parametrize(("counted", "status"), [((2, 1), PASS), ((2, 2), FAIL), ((1, 1), FAIL)])
def test_the_guest_is_the_second_witness(counted: tuple[int, int], status: Status) -> None:
    lines = "".join(f"# irq cpu={cpu} vector=0x31 count={count}\n" for cpu, count in enumerate(counted))
    report = f"KTAP version 1\n1..1\n{lines}ok 1 irqs\n"
    expect(IrqRoutingCheck(vector=49, during="irqs"), status, found=trace(GOOD), report=report)
    expect(IrqRoutingCheck(vector=49, during="irqs", confront=False), PASS, found=trace(GOOD), report=report)


@pytest.mark.parametrize("bad", [{}, {"count": 1}, {"vector": 256}, {"vector": 49, "vmpl": 4}])
def test_what_is_refused_at_loading(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IrqRoutingCheck.model_validate(bad)
