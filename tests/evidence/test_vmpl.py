from __future__ import annotations

from harness.evidence.flavour import Flavour
from harness.evidence.steps import Window
from harness.evidence.vmpl import Cause, Channel, Outcome, Request, Switch, SwitchFacts


def facts() -> SwitchFacts:
    return SwitchFacts(
        flavour=Flavour.ROY,
        requests=(
            Request(1, 10, 0, 2, 0, Channel.NAE, Outcome.COMPLETED, None, 11),
            Request(3, 30, 1, 2, 0, Channel.NAE, Outcome.REFUSED, 2, 31),
        ),
        switches=(
            Switch(2, 12, 0, 2, 0, Cause.GUEST_REQUEST, False, 10, 13),
            Switch(4, 40, 1, 0, 2, Cause.AP_START, False, None, 41),
        ),
        ap_starts=(),
        live_locks=(),
        windows=(Window("early", (0, 0), (20, 2)),),
        notes=(),
        inferred=False,
    )


def test_numbers_can_be_taken_of_any_part() -> None:
    assert (facts().numbers().requested, facts().numbers().refused, facts().numbers().completed) == (2, 1, 2)
    assert facts().numbers(vcpu=1).completed == 1
    assert facts().numbers(from_vmpl=2, to_vmpl=0).completed == 1
    assert facts().numbers(step="early").requested == 1
    assert facts().select(cause=Cause.AP_START)[0].vcpu == 1
    assert facts().select_requests(outcome=Outcome.REFUSED)[0].error == 2


def test_balance_is_downs_minus_ups() -> None:
    assert (facts().balance(0), facts().balance(1), facts().balance(2)) == (1, -1, 0)


def test_every_cause_is_listed() -> None:
    assert facts().by_cause() == {
        Cause.GUEST_REQUEST: 1,
        Cause.SVSM_RETURN: 0,
        Cause.IRQ_FORCED: 0,
        Cause.AP_START: 1,
        Cause.UNREQUESTED: 0,
    }
