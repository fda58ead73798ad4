from __future__ import annotations

import pytest
from synthetic_trace import Machine
from trace_lines import (
    Event,
    accept,
    ap_create,
    entry,
    inject,
    mark,
    msr,
    msr_exit,
    nae,
    nae_exit,
    planes_call,
    records,
    roy_down,
    roy_up,
    switch,
)

from harness.evidence.flavour import Flavour, rules_of
from harness.evidence.ftrace import Decoder
from harness.evidence.steps import Window
from harness.evidence.vmpl import Cause, Channel, Outcome, SwitchFacts
from harness.evidence.vmpl_fold import LIVE_LOCK_REPEATS, SWITCH_EVENTS, fold_switches


def fold(events: list[Event], flavour: Flavour = Flavour.ROY, windows: list[Window] | None = None) -> SwitchFacts:
    return fold_switches(records(events), rules_of(flavour), windows=windows)


def outcomes(facts: SwitchFacts) -> list[tuple[int, str]]:
    return [(request.to_vmpl, request.outcome.value) for request in facts.requests]


def moves(facts: SwitchFacts) -> list[tuple[int, int, str]]:
    return [(move.from_vmpl, move.to_vmpl, move.cause.value) for move in facts.switches]


DOWN = (2, 0, "guest request")
UP = (0, 2, "SVSM return")
OPEN = Outcome.OPEN.value
PLANES = [Flavour.PLANES_617, Flavour.PLANES_V1]


def test_one_svsm_call_is_one_switch_down_and_one_back() -> None:
    facts = fold([entry(0, 2), *roy_down(), *roy_up()])
    assert moves(facts) == [DOWN, UP]
    assert outcomes(facts) == [(0, "completed"), (2, "completed")]
    assert [request.channel for request in facts.requests] == [Channel.NAE, Channel.MSR]
    assert facts.balance(0) == 0 and not facts.inferred and facts.notes == ()
    down = facts.switches[0]
    assert (down.requested_at, down.at, down.entered_at) == (1_000_001_000, 1_000_003_000, 1_000_004_000)


@pytest.mark.parametrize("calls", [1, 10, 250])
@pytest.mark.parametrize("flavour", [Flavour.ROY, Flavour.TOM, *PLANES])
def test_calls_are_counted_exactly_in_every_flavour(flavour: Flavour, calls: int) -> None:
    one = {
        Flavour.ROY: lambda vcpu: [*roy_down(vcpu), *roy_up(vcpu)],
        Flavour.TOM: lambda vcpu: [nae(vcpu), nae_exit(vcpu), entry(vcpu), msr(vcpu), msr_exit(vcpu, 0x1000)],
    }.get(flavour, planes_call)
    start = [entry(0, 2), entry(1, 2)] if flavour is Flavour.ROY else []
    # The trailing request shows that the last return took place, where nothing prints it.
    end = [] if flavour is Flavour.ROY else [nae(0), nae(1)]
    facts = fold([*start, *([*one(0), *one(1)] * calls), *end], flavour)
    for vcpu in (0, 1):
        down, up = facts.numbers(vcpu=vcpu, to_vmpl=0), facts.numbers(vcpu=vcpu, to_vmpl=2)
        assert (down.completed, up.completed) == (calls, calls)
        assert (down.requested - len(end) // 2, down.refused, up.requested, up.refused) == (calls, 0, calls, 0)
        assert facts.balance(vcpu) == 0
    assert facts.inferred == (flavour is not Flavour.ROY)


def test_each_number_stands_alone() -> None:
    refused = [msr(0), msr_exit(0, 0x16 << 32 | 0x17), entry(0, 0)]
    dropped = [nae(0), nae_exit(0), entry(0, 2)]
    facts = fold([entry(0, 2), *dropped, *roy_down(), *refused, *roy_up(), nae(0)])
    assert outcomes(facts) == [
        (0, "no switch followed"),
        (0, "completed"),
        (2, "refused"),
        (2, "completed"),
        (0, OPEN),
    ]
    assert facts.requests[2].error == 0x16
    numbers = facts.numbers()
    assert (numbers.requested, numbers.refused, numbers.no_switch, numbers.open, numbers.completed) == (5, 1, 1, 1, 2)


@pytest.mark.parametrize(
    ("events", "flavour", "expected"),
    [
        ([msr(0), msr_exit(0, 0x16)], Flavour.MAINLINE, [(2, "refused")]),
        ([nae(0), nae_exit(0, 2)], Flavour.MAINLINE, [(0, "refused")]),
        ([nae(0), nae_exit(0, 2), nae(0)], Flavour.PLANES_V1, [(0, "refused"), (0, OPEN)]),
        ([nae(0), nae_exit(0), nae(0)], Flavour.PLANES_V1, [(0, "no switch followed"), (0, OPEN)]),
        ([msr(0), msr_exit(0), msr(0)], Flavour.PLANES_V1, [(2, "no switch followed"), (2, OPEN)]),
        ([entry(0, 0), msr(0, 0), msr_exit(0), entry(0, 0)], Flavour.ROY, [(0, "asked for the running VMPL")]),
        ([msr(0), msr_exit(0, 0x1000), nae(0)], Flavour.TOM, [(2, "completed"), (0, OPEN)]),
    ],
)  # fmt: skip
def test_what_becomes_of_a_request(events: list[Event], flavour: Flavour, expected: list[tuple[int, str]]) -> None:
    assert outcomes(fold(events, flavour)) == expected


def test_the_first_return_may_be_proven_by_the_unmapping() -> None:
    facts = fold(planes_call(), Flavour.PLANES_V1)
    assert outcomes(facts) == [(0, "completed"), (2, "completed")]


@pytest.mark.parametrize("flavour", PLANES)
def test_an_interrupt_of_vmpl0_forces_a_switch_without_a_request(flavour: Flavour) -> None:
    facts = fold([*planes_call(), inject(0, 0x41), entry(0), msr(0), msr_exit(0), nae(0)], flavour)
    assert moves(facts) == [DOWN, UP, (2, 0, "IRQ-forced"), UP]


def test_an_nmi_of_vmpl0_forces_one_too() -> None:
    facts = fold([*planes_call(), accept(0, 0, 2, "NMI"), entry(0), msr(0), msr_exit(0), nae(0)], Flavour.PLANES_V1)
    assert facts.by_cause()[Cause.IRQ_FORCED] == 1


def test_a_switch_that_nobody_asked_for_is_unrequested() -> None:
    facts = fold([entry(0, 2), inject(0, 0x41), switch(0, 2, 0), entry(0, 0), *roy_up()])
    assert moves(facts) == [(2, 0, "unrequested"), UP]
    facts = fold([*planes_call(), msr(0), msr_exit(0), nae(0)], Flavour.PLANES_V1)
    assert facts.by_cause()[Cause.UNREQUESTED] == 1


def test_an_ap_starts_at_its_vmpl() -> None:
    facts = fold([entry(0, 2), entry(1, 0), ap_create(0, 1, 2), switch(1, 0, 2), entry(1, 2)])
    assert moves(facts) == [(0, 2, "AP start")]
    (start,) = facts.ap_starts
    assert (start.vcpu, start.apic_id, start.vmpl, start.kind, start.entered_at) == (0, 1, 2, "create", 1_000_004_000)


def test_an_ap_that_hangs_was_never_entered() -> None:
    facts = fold([entry(0, 2), ap_create(0, 1, 2), ap_create(0, 1, 2, kind=2), entry(0, 2)])
    assert [(start.apic_id, start.entered_at) for start in facts.ap_starts] == [(1, None)]


def test_a_refusal_that_the_svsm_ignores_is_a_live_lock() -> None:
    refused = [msr(1), msr_exit(1, 0x16 << 32 | 0x17), entry(1, 0)]
    facts = fold([entry(1, 0), *refused * LIVE_LOCK_REPEATS])
    (lock,) = facts.live_locks
    assert (lock.vcpu, lock.to_vmpl, lock.count, lock.errors, lock.first_line) == (1, 2, LIVE_LOCK_REPEATS, (0x16,), 2)
    assert fold([entry(1, 0), *refused * (LIVE_LOCK_REPEATS - 1)]).live_locks == ()
    # Ended by one that succeeds, it is still told.
    assert len(fold([entry(1, 0), *refused * LIVE_LOCK_REPEATS, *roy_up(1)]).live_locks) == 1
    assert len(fold(refused * LIVE_LOCK_REPEATS, Flavour.PLANES_V1).live_locks) == 1


def test_switches_belong_to_the_step_of_their_time() -> None:
    call = [*roy_down(), *roy_up()]
    events = [entry(0, 2), *call, mark("calls", "begin"), *call, *call, mark("calls", "end"), *call]
    facts = fold(events)
    assert facts.numbers(step="calls", to_vmpl=0).completed == 2
    assert facts.numbers(step="calls", to_vmpl=0).requested == 2
    assert facts.numbers(to_vmpl=0).completed == 4
    assert facts.numbers(step="other").requested == 0


def test_given_windows_replace_the_marks() -> None:
    facts = fold([entry(0, 2), *roy_down(), *roy_up()], windows=[Window("mine", (0, 0), (1_000_004_000, 99))])
    assert [move.to_vmpl for move in facts.select(step="mine")] == [0]


def test_an_entry_that_contradicts_the_switches_is_noted() -> None:
    facts = fold([entry(0, 2), entry(0, 0)])
    assert facts.notes == ("vCPU 0 entered VMPL0 without a switch from VMPL2",)


def test_an_entry_that_was_cut_behind_its_rip_is_noted() -> None:
    assert "was cut" in fold([entry(0, 2), entry(0)]).notes[0]
    assert fold([entry(0)], Flavour.PLANES_V1).notes == ()


def test_a_switch_after_a_refusal_is_noted() -> None:
    facts = fold([entry(0, 2), *roy_down(), msr(0), msr_exit(0, 1 << 32 | 0x17), switch(0, 0, 2), entry(0, 2)])
    assert facts.requests[-1].outcome is Outcome.REFUSED
    assert len(facts.switches) == 2 and "refused" in facts.notes[0]


def test_a_long_trace_of_four_vcpus_is_counted_exactly() -> None:
    machine = Machine(vcpus=4, seed=5)
    source = machine.lines()
    lines = [next(source) for _ in range(30_000)]
    facts = fold_switches(Decoder(SWITCH_EVENTS).records(["".join(lines).encode()]), rules_of(Flavour.ROY))
    traced = sum("vtl_switch" in line for line in lines)
    requested = sum("msr_protocol_enter" in line or "kvm_vmgexit_enter" in line for line in lines)
    assert len(facts.switches) == traced
    assert len(facts.requests) == requested
    assert facts.by_cause()[Cause.UNREQUESTED] == 0 and facts.notes == ()
