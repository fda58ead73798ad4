from __future__ import annotations

import pytest
from trace_lines import Event, accept, entry, inject, mark, msr, msr_exit, nae, records, roy_down, roy_up

from harness.evidence.divergence import Comparison, Kind, compare_traces, normalise
from harness.evidence.trace_events import AcceptIrq, KvmEntry, MsrProtocolEnter, RawText, Vmgexit

CALL = [*roy_down(), *roy_up()]
START = [entry(0, 2), mark("calls", "begin"), *CALL]


def compare(a: list[Event], b: list[Event], step_us: int = 7) -> Comparison:
    return compare_traces(records(a), records(b, step_us))


def test_equal_runs_do_not_differ_though_their_times_do() -> None:
    comparison = compare(START + CALL * 3, START + CALL * 3)
    assert comparison.equal and comparison.first is None
    assert comparison.compared == (34, 34)


@pytest.mark.parametrize(
    ("a", "b", "kind", "index"),
    [
        ([*START, *CALL], [*START, inject(0, 49), *CALL], Kind.ONLY_IN_B, 10),
        ([*START, inject(0, 49), *CALL], [*START, *CALL], Kind.ONLY_IN_A, 10),
        ([*START, inject(0, 49), *CALL], [*START, inject(0, 50), *CALL], Kind.CHANGED, 10),
        (START, [*START, *CALL], Kind.A_ENDED, 10),
        ([*START, *CALL], START, Kind.B_ENDED, 10),
        ([*START, msr(0), msr_exit(0, 1 << 32 | 0x17)], [*START, msr(0), msr_exit(0)], Kind.CHANGED, 11),
    ],
)
def test_the_first_difference_is_found(a: list[Event], b: list[Event], kind: Kind, index: int) -> None:
    first = compare(a, b).first
    assert first is not None
    assert (first.vcpu, first.kind, first.index) == (0, kind, index)
    assert len(first.before) == 5 and (first.a is None) == (kind is Kind.A_ENDED)


def test_the_places_lead_back_to_the_lines() -> None:
    first = compare([*START, inject(0, 49), *CALL], [*START, *CALL]).first
    assert first is not None and first.a is not None and first.b is not None
    assert (first.a.line, first.a.offset, first.a.text) == (
        11,
        10_000,
        "kvm_inj_virq: kind IRQ, vector 49, reinjected False",
    )
    assert (first.b.line, first.b.offset) == (11, 70_000)
    assert first.after_b[0].startswith("kvm_vmgexit_exit")


def test_another_interleaving_is_no_difference() -> None:
    one = [entry(0, 2), *roy_down(0), entry(1, 2), *roy_down(1)]
    other = [entry(1, 2), entry(0, 2), *roy_down(1), *roy_down(0)]
    assert compare(one, other).equal


def test_the_earliest_vcpu_comes_first() -> None:
    one = [entry(0, 2), entry(1, 2), nae(1), nae(0)]
    other = [entry(0, 2), entry(1, 2), nae(1, 3), nae(0, 3)]
    assert [divergence.vcpu for divergence in compare(one, other).divergences] == [1, 0]


def test_a_vcpu_that_one_trace_lacks_is_told() -> None:
    comparison = compare([entry(0, 2), entry(1, 2)], [entry(0, 2)])
    assert comparison.only_a == (1,) and not comparison.equal and comparison.first is None


def test_threads_that_are_no_vcpu_are_counted_and_not_compared() -> None:
    comparison = compare([entry(0, 2), accept(9, 0, 49)], [entry(0, 2)])
    assert comparison.equal and comparison.skipped == (1, 0)


@pytest.mark.parametrize(
    ("event", "one", "other", "same"),
    [
        ("kvm_entry", KvmEntry(0, 0x1000), KvmEntry(0, 0x2000), True),
        ("kvm_entry", KvmEntry(0, 0, vcpu_vmpl=2), KvmEntry(0, 0, vcpu_vmpl=0), False),
        ("kvm_vmgexit_enter", Vmgexit(0, 0x80000010, 0x1000, 1), Vmgexit(0, 0x80000010, 0x2000, 2), True),
        ("kvm_vmgexit_enter", Vmgexit(0, 0x80000018, 0, 1), Vmgexit(0, 0x80000018, 2, 1), False),
        ("kvm_vmgexit_msr_protocol_enter", MsrProtocolEnter(0, 0x1012), MsrProtocolEnter(0, 0x2012), True),
        ("kvm_vmgexit_msr_protocol_enter", MsrProtocolEnter(0, 0x16), MsrProtocolEnter(0, 0x2_0000_0016), False),
        ("kvm_apic_accept_irq", AcceptIrq(0, 9, "Fixed", "edge"), AcceptIrq(0, 9, "Fixed", "edge", 2), False),
        ("other", RawText("a 1"), RawText("a 2"), True),
    ],
)
def test_what_differs_by_chance_is_left_out(event: str, one: KvmEntry, other: KvmEntry, same: bool) -> None:
    assert (normalise(event, one) == normalise(event, other)) == same
