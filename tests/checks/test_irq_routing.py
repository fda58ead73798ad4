from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import expect
from sample_trace import (
    Event,
    ask_down,
    ask_up,
    call,
    counted,
    deliver,
    entry,
    facts,
    ipi,
    key,
    nmi,
    report,
    start,
    switch,
    timer,
    within,
)  # fmt: skip

from harness.checks.base import Status
from harness.checks.irq_routing import IrqRoutingCheck
from harness.evidence.trace import TraceFacts

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE
KEYS = {"vector": 0x31, "during": "keys", "vmpl": 2, "vcpu": 0, "count": 2}


def _keys(events: list[Event], after: list[Event] | None = None) -> TraceFacts:
    return facts([*start(0), *start(1), *within("keys", events), *(after or [])])


def _check(**keys: Any) -> IrqRoutingCheck:
    return IrqRoutingCheck.model_validate(keys)


GOOD = [*key(), *deliver(0, 0x31), *key(), *deliver(0, 0x31)]


@pytest.mark.parametrize(
    ("events", "after", "status", "operand"),
    [
        (GOOD, [], PASS, "2 raised, 2 accepted, 2 delivered (VMPL inferred from the next kvm_entry)"),
        ([*key(), *deliver(0, 0x31)], [], FAIL, "expected 2 (-1)"),
        ([*GOOD, *key(), *deliver(0, 0x31)], [], FAIL, "expected 2 (+1)"),
        # The fault irq-lost.
        ([*GOOD, *key(accepted=())], [], FAIL, "1 lost: raised and never accepted"),
        # irq-duplicated: accepted again without a raise, or twice at once.
        ([*GOOD, (0, "kvm_apic_accept_irq", "apicid 0 vec 49 (Fixed|edge)"), *deliver(0, 0x31)], [], FAIL,
         "1 accepted and never raised"),
        ([*key(), *deliver(0, 0x31), *key(accepted=(0, 0)), *deliver(0, 0x31)], [], FAIL, "1 accepted more than once"),
        # irq-wrong-vcpu.
        ([*key(), *deliver(0, 0x31), *key(accepted=(1,)), *deliver(1, 0x31)], [], FAIL,
         "1 accepted by another vCPU than the one addressed"),
        # irq-to-vmpl0: it waits in VMPL0's APIC, and is delivered when VMPL0 runs, after the step.
        ([*key(), *deliver(0, 0x31), *key()],
         [*ask_down(0), switch(0, 2, 0), *deliver(0, 0x31, 0), *ask_up(0), switch(0, 0, 2), entry(0)],
         FAIL, "1 went to VMPL0 on vCPU 0"),
        ([*key(), *deliver(0, 0x31), *key(), *ask_down(0), switch(0, 2, 0), *deliver(0, 0x31, 0)], [], FAIL,
         "1 not to VMPL2, the first to VMPL0 (inferred): vector 0x31 on vCPU 0"),
        ([*GOOD, *key()], [], FAIL, "1 accepted and never delivered"),
        ([*GOOD, *deliver(0, 0x31)], [], FAIL, "1 injected and never accepted"),
        # Nothing is entered after the injection: whose it was cannot be known.
        ([*key(), *deliver(0, 0x31), *key(), (0, "kvm_inj_virq", "IRQ 0x31")], [], INCONCLUSIVE,
         "the VMPL of 1 is unknown: no kvm_entry with vcpu_vmpl follows"),
    ],
)  # fmt: skip
def test_where_the_keys_went(events: list[Event], after: list[Event], status: Status, operand: str) -> None:
    expect(_check(**KEYS), status, operand, trace=_keys(events, after))


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        ({"gsi": 1, "count": 2}, PASS, "GSI 1: 2 raised"),
        ({"gsi": 2, "count": 0}, PASS, "0 raised"),
        ({"source": "GSI", "count": 2, "vmpl": 2}, PASS, "2 delivered"),
        ({"source": "IPI", "count": 0}, PASS, "0 raised"),
        ({"vector": 0x31, "vcpu": 1}, FAIL, "2 not on vCPU 1, the first on vCPU 0"),
        ({"vector": 0x31, "vmpl": 0}, FAIL, "2 not to VMPL0, the first to VMPL2"),
        ({"vector": 0x31, "at_least": 3}, FAIL, "expected at least 3"),
    ],
)
def test_interrupts_are_chosen_by_source_gsi_and_vector(keys: dict[str, Any], status: Status, operand: str) -> None:
    expect(_check(**keys), status, operand, trace=_keys(GOOD))


def test_merged_and_pending_are_allowed_as_far_as_the_scenario_says() -> None:
    merged = _keys([*key(), *key(), *deliver(0, 0x31)])
    expect(_check(vector=0x31, count=1, merged=1), PASS, trace=merged)
    expect(_check(vector=0x31, count=1, merged=0), FAIL, "1 merged, expected at most 0", trace=merged)
    pending = _keys([*GOOD, *key()])
    expect(_check(vector=0x31, count=2, pending=1), PASS, trace=pending)


@pytest.mark.parametrize(
    ("told", "status", "operands"),
    [
        ([counted(0x31, 2)], PASS, []),
        # Two witnesses that disagree: both numbers are said.
        ([counted(0x31, 1)], FAIL, ["the guest counted 1 of vector 0x31 on CPU 0, the trace delivered 2"]),
        ([counted(0x31, 3)], FAIL, ["counted 3", "delivered 2"]),
        ([counted(0x31, 2), counted(0x31, 1, cpu=1)], FAIL, ["counted 1 of vector 0x31 on CPU 1", "delivered 0"]),
        # It reports interrupts, and none of this vector.
        ([counted(0x30, 2)], FAIL, ["counted 0", "delivered 2"]),
        # It reports no interrupts at all.
        (["calls made=1"], PASS, []),
    ],
)
def test_the_guests_own_count_is_confronted_with_the_trace(
    told: list[str], status: Status, operands: list[str]
) -> None:
    found = report(("keys", "\n".join(told)))
    expect(_check(**KEYS), status, *operands, trace=_keys(GOOD), report=found)
    expect(_check(**KEYS, confront=False), PASS, trace=_keys(GOOD), report=found)


def test_a_report_of_another_step_or_a_cut_one_confronts_nothing() -> None:
    wrong = counted(0x31, 7)
    expect(_check(**KEYS), PASS, trace=_keys(GOOD), report=report(("other", wrong)))
    expect(_check(**KEYS), PASS, trace=_keys(GOOD), report=report(("keys", wrong), plan=2))
    whole = {"vector": 0x31, "count": 2}
    expect(_check(**whole), FAIL, "counted 7", trace=_keys(GOOD), report=report(("keys", ""), totals=wrong))


def test_an_ipi_that_crosses_vmpls_is_named() -> None:
    events = [*ipi(1), *deliver(1, 0x41), *ipi(1), *ask_down(1), switch(1, 2, 0), *deliver(1, 0x41, 0)]
    trace = facts([*start(0), *start(1), *within("ipi", events)])
    expect(_check(source="IPI", vmpl=2), FAIL, "1 not to VMPL2, the first to VMPL0", "vCPU 1", trace=trace)


def test_what_vmpl0_took_the_guest_need_not_count() -> None:
    events = [timer(0), *ask_down(0), switch(0, 2, 0), *deliver(0, 0x30, 0)]
    trace = facts([*start(0), *within("timer", events)])
    found = report(("timer", counted(0x31, 1)))
    expect(_check(vector=0x30, during="timer", vmpl=0, count=1), PASS, trace=trace, report=found)


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        ({"count": 2, "vcpu": 0}, PASS, "the delivery of 2 is not traced"),
        ({"count": 3}, FAIL, "expected 3 (-1)"),
        ({"vcpu": 1}, FAIL, "2 not on vCPU 1"),
        ({"vmpl": 2}, INCONCLUSIVE, "no tracepoint shows an NMI injected"),
    ],
)
def test_an_nmi_counts_when_it_is_accepted(keys: dict[str, Any], status: Status, operand: str) -> None:
    trace = facts([*start(0), *within("nmi", [nmi(0), nmi(0)])])
    expect(_check(vector=2, during="nmi", **keys), status, operand, trace=trace, report=report(("nmi", counted(2, 2))))


def test_the_guest_must_have_counted_its_nmis_too() -> None:
    trace = facts([*start(0), *within("nmi", [nmi(0), nmi(0)])])
    expect(
        _check(vector=2, during="nmi", count=2), FAIL, "counted 1", trace=trace, report=report(("nmi", counted(2, 1)))
    )


def _planes(spurious: list[Event]) -> TraceFacts:
    # VMPL0 runs and asks to go back, although nobody asked for it.
    return facts(
        [*ask_up(0), entry(0, None), *within("timer", [timer(0), *deliver(0, 0x30, None), *spurious])], "planes-v1"
    )


def test_planes_infer_the_vmpl_from_the_requests_and_say_so() -> None:
    check = _check(vector=0x30, during="timer", vmpl=2)
    expect(check, PASS, trace=_planes([]))
    expect(check, FAIL, "1 not to VMPL2, the first to VMPL0 (inferred)", trace=_planes(ask_up(0)))


def test_an_inference_that_the_guest_contradicts_decides_nothing() -> None:
    # The vector need not be why VMPL0 ran: the guest counted it itself.
    check = _check(vector=0x30, during="timer", vmpl=2)
    told = report(("timer", counted(0x30, 1)))
    expect(check, INCONCLUSIVE, "but the guest counted all 1 itself", trace=_planes(ask_up(0)), report=told)
    other = report(("timer", counted(0x31, 1)))
    expect(check, FAIL, "to VMPL0 (inferred)", trace=_planes(ask_up(0)), report=other)


def test_one_apic_for_all_vmpls_has_no_answer() -> None:
    trace = facts([entry(0, None), *within("timer", [timer(0), *deliver(0, 0x30, None)])], "tom")
    expect(_check(vector=0x30, count=1), PASS, trace=trace)
    expect(_check(vector=0x30, vmpl=2), INCONCLUSIVE, "one APIC for all VMPLs", trace=trace)


def test_a_vmpl_that_is_unknown_may_be_the_guests_or_not() -> None:
    trace = facts([entry(0, None), *within("timer", [timer(0), *deliver(0, 0x30, None)])], "tom")
    check = _check(vector=0x30, during="timer", count=1)
    for count in (0, 1):
        expect(check, PASS, trace=trace, report=report(("timer", f"{counted(0x30, count)}\n{counted(0x31, 0)}")))
    expect(check, FAIL, "counted 2", "delivered 1", trace=trace, report=report(("timer", counted(0x30, 2))))


def test_an_interrupt_while_vmpl0_runs_waits_for_the_guest() -> None:
    down, up = call(0)[:4], call(0)[4:-1]
    trace = facts([*start(0), *within("slow", [*down, timer(0), *up, *deliver(0, 0x30)])])
    expect(_check(vector=0x30, during="slow", vmpl=2, vcpu=0, count=1), PASS, trace=trace)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"count": 1}, "which interrupts are meant"),
        ({"vector": 256}, "less than or equal to 255"),
        ({"source": "magic"}, "GSI"),
        ({"vector": 1, "vmpl": 4}, "less than or equal to 3"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        _check(**keys)
