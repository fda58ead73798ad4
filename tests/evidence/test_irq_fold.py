from __future__ import annotations

import pytest
from synthetic_trace import Machine
from trace_lines import Event, accept, entry, inject, mark, msr, msr_exit, nae, records

from harness.evidence.flavour import Flavour, rules_of
from harness.evidence.ftrace import Decoder
from harness.evidence.irq import Basis, Conservation, Fate, IrqFacts, IrqSource
from harness.evidence.irq_fold import IRQ_EVENTS, fold_irqs, in_time_order

QEMU = 9  # a thread that is no vCPU


def eoi(vcpu: int, vector: int) -> Event:
    return vcpu, "kvm_eoi", f"apicid {vcpu:x} vector {vector}"


def set_irq(gsi: int, level: int, on: int = QEMU) -> Event:
    return on, "kvm_set_irq", f"gsi {gsi} level {level} source 0"


def ioapic(vector: int, dst: int = 0, flags: str = "", after: str = "", on: int = QEMU) -> Event:
    return on, "kvm_ioapic_set_irq", f"pin 1 dst {dst:x} vec {vector} (Fixed|physical|edge{flags}){after}"


def msi(vector: int, dst: int = 0, plane: int | None = None, on: int = QEMU) -> Event:
    tail = "" if plane is None else f" plane {plane}"
    return on, "kvm_msi_set_irq", f"dst {dst:x} vec {vector} (Fixed|physical|edge){tail}"


def ipi(on: int, vector: int, dst: int = 0, shorthand: str = "dst", mode: str = "Fixed") -> Event:
    return on, "kvm_apic_ipi", f"dst {dst:x} vec {vector} ({mode}|physical|assert|edge|{shorthand})"


def keyboard(vcpu: int = 0, vmpl: int | None = 2) -> list[Event]:
    """One key: raised, accepted (KVM prints the IOAPIC's line behind it), lowered, injected, ended."""
    raised = [set_irq(1, 1), accept(QEMU, vcpu, 49), ioapic(49, vcpu), set_irq(1, 0), ioapic(49, vcpu)]
    return [*raised, inject(vcpu, 49), entry(vcpu, vmpl), eoi(vcpu, 49)]


def fold(events: list[Event], flavour: Flavour = Flavour.ROY, vcpus: int | None = 2) -> IrqFacts:
    return fold_irqs(records(events), rules_of(flavour), vcpus=vcpus)


def sums(found: Conservation) -> tuple[int, int, int, int, int]:
    return found.raised, found.accepted, found.delivered, found.pending, found.ended


START = [entry(0, 2), entry(1, 2)]


def test_a_key_press_is_one_interrupt() -> None:
    facts = fold([*START, *keyboard()])
    assert sums(facts.conservation(vector=49)) == sums(facts.conservation(gsi=1)) == (1, 1, 1, 0, 1)
    assert facts.conservation(gsi=1).holds and facts.notes == ()
    (delivery,) = facts.deliveries
    assert (delivery.vcpu, delivery.vmpl, delivery.basis, delivery.source) == (0, 2, Basis.INFERRED, IrqSource.GSI)
    assert (delivery.accepted_at, delivery.at, delivery.eoi_at) == (1_000_003_000, 1_000_007_000, 1_000_009_000)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([*keyboard(), msi(49), accept(QEMU, 0, 49), inject(0, 49), entry(0, 2)], {IrqSource.GSI: 1, IrqSource.MSI: 1}),
        ([ipi(0, 251, 1), accept(0, 1, 251), inject(1, 251), entry(1, 2)], {IrqSource.IPI: 1}),
        ([accept(1, 1, 236), inject(1, 236), entry(1, 2)], {IrqSource.LOCAL: 1}),
        ([(0, "kvm_ack_irq", "irqchip PIC master pin 0"), inject(0, 8), entry(0, 2)], {IrqSource.PIC: 1}),
        # Without automatic EOI the 8259's end comes after the injection, as SeaBIOS has it.
        ([inject(0, 8), entry(0, 2), (0, "kvm_ack_irq", "irqchip PIC master pin 0")], {IrqSource.PIC: 1}),
        ([inject(0, 0x74), entry(0, 2), (0, "kvm_ack_irq", "irqchip PIC slave pin 12")], {IrqSource.PIC: 1}),
        # Behind an IOAPIC in QEMU (split irqchip) a pin has an MSI route.
        ([set_irq(1, 1), msi(49), accept(QEMU, 0, 49), inject(0, 49), entry(0, 2)], {IrqSource.GSI: 1}),
        ([set_irq(24, 1), msi(49), accept(QEMU, 0, 49), inject(0, 49), entry(0, 2)], {IrqSource.MSI: 1}),
        ([msi(49), accept(QEMU, 0, 50), inject(0, 50), entry(0, 2)], {IrqSource.LOCAL: 1}),
    ],
)
def test_the_source_of_each_delivery(events: list[Event], expected: dict[IrqSource, int]) -> None:
    facts = fold([*START, *events])
    found = {source: len(facts.select(source=source)) for source in IrqSource}
    assert {source: count for source, count in found.items() if count} == expected
    assert facts.conservation().unexplained == 0


@pytest.mark.parametrize(
    ("events", "number"),
    [
        ([set_irq(1, 1), ioapic(49)], "lost"),
        ([msi(49)], "lost"),
        ([ipi(0, 251, 1)], "lost"),
        ([ipi(0, 251, shorthand="all"), accept(0, 0, 251)], "lost"),
        ([msi(49), accept(QEMU, 0, 49), accept(QEMU, 0, 49)], "duplicated"),
        ([msi(49), accept(QEMU, 1, 49)], "misrouted"),
        ([set_irq(1, 1), accept(QEMU, 1, 49), ioapic(49)], "misrouted"),
        ([ipi(0, 251, shorthand="self"), accept(0, 1, 251)], "misrouted"),
        ([inject(0, 77)], "unexplained"),
    ],
)
def test_each_fault_shows_in_its_own_number(events: list[Event], number: str) -> None:
    found = fold([*START, *events]).conservation()
    wrong = {name for name in ("lost", "duplicated", "misrouted", "unexplained") if getattr(found, name)}
    assert wrong == {number} and not found.holds


@pytest.mark.parametrize(
    ("thread", "lines", "raised"),
    [(0, 24, 1), (0, 25, 2), (0, 48, 1), (0, 23, 24), (QEMU, 24, 25)],
    ids=["a scan", "a loss before it", "two scans", "no whole scan", "a device"],
)
def test_routes_that_are_read_are_not_raised(thread: int, lines: int, raised: int) -> None:
    read = [msi(49, on=thread) for _ in range(lines)]
    facts = fold([*START, *read, entry(0, 2), msi(49), accept(QEMU, 0, 49), inject(0, 49), entry(0, 2)])
    assert sums(facts.conservation(vector=49)) == (raised, 1, 1, 0, 0)


def test_a_vector_that_comes_again_without_a_raise_is_seen() -> None:
    again = [accept(0, 0, 49), inject(0, 49), entry(0, 2), eoi(0, 49)]
    facts = fold([*START, *keyboard(), *again])
    for found in (facts.conservation(gsi=1), facts.conservation(source=IrqSource.GSI), facts.conservation(vector=49)):
        assert (found.raised, found.accepted, found.local, found.delivered) == (1, 2, 1, 2)


def test_masked_and_coalesced_lines_are_not_raised() -> None:
    facts = fold([*START, set_irq(1, 1), ioapic(49, flags="|masked"), set_irq(1, 1), ioapic(49, after=" (coalesced)")])
    found = facts.conservation()
    assert (found.raised, found.masked, found.coalesced, found.lost) == (0, 1, 1, 0)


def test_acceptances_merge_while_one_is_pending() -> None:
    three = [msi(49), accept(QEMU, 0, 49)] * 3
    facts = fold([*START, *three, inject(0, 49), entry(0, 2), msi(49), accept(QEMU, 0, 49), *three])
    found = facts.conservation()
    assert (found.accepted, found.delivered, found.merged, found.pending) == (7, 1, 5, 1)
    assert found.holds and facts.deliveries[0].merged == 2


def test_two_vmpls_may_hold_the_same_vector() -> None:
    both = [accept(0, 0, 236), accept(0, 0, 236), inject(0, 236), entry(0, 0), inject(0, 236), entry(0, 2)]
    facts = fold([*START, *both])
    assert facts.by_vmpl() == {0: 1, 2: 1}
    assert facts.conservation().holds and facts.conservation().merged == 0


def test_an_nmi_is_accepted_and_its_delivery_is_not_traced() -> None:
    facts = fold([*START, accept(0, 0, 2, "NMI")])
    assert [a.fate for a in facts.accepts] == [Fate.UNTRACED]
    assert facts.conservation().holds


def test_a_reinjected_vector_is_one_delivery() -> None:
    again = (0, "kvm_inj_virq", "IRQ 0x31 [reinjected]")
    facts = fold([*START, msi(49), accept(QEMU, 0, 49), inject(0, 49), entry(0, 2), again, entry(0, 2)])
    assert len(facts.deliveries) == 1


def test_the_line_of_another_cpu_may_come_first() -> None:
    facts = fold_irqs(records([*START, inject(0, 49), msi(49), accept(QEMU, 0, 49)], step_us=0), rules_of(Flavour.ROY))
    assert facts.conservation().holds and facts.conservation().delivered == 1


def test_a_vcpu_may_be_faster_than_the_line_of_the_ioapic() -> None:
    # As recorded: the I/O thread has accepted the vector, the vCPU takes it, and only then comes the pin's line.
    facts = fold([*START, set_irq(1, 1), accept(QEMU, 0, 49), inject(0, 49), ioapic(49), entry(0, 2), eoi(0, 49)])
    assert [delivery.source for delivery in facts.deliveries] == [IrqSource.GSI]
    assert facts.conservation(gsi=1).holds


def test_blocks_of_lines_are_sorted_by_time() -> None:
    trace = records([*START, *keyboard(), *keyboard()])
    blocks = sorted(trace, key=lambda record: record.cpu)
    assert in_time_order(blocks) == trace
    assert fold_irqs(blocks, rules_of(Flavour.ROY)).conservation().delivered == 2


def test_an_end_at_the_8259_of_another_pin_explains_no_injection() -> None:
    facts = fold([*START, inject(0, 8), entry(0, 2), (0, "kvm_ack_irq", "irqchip PIC master pin 1")])
    assert facts.conservation().unexplained == 1


@pytest.mark.parametrize(
    ("bits", "first", "accepted_by", "lost", "misrouted"),
    [
        (0b110, 0, (1, 2), 0, 0),
        (0b110, 0, (1,), 1, 0),
        (0b1, 3, (3,), 0, 0),
        (0b1, 3, (2,), 0, 1),
    ],
)
def test_an_ipi_by_hypercall_names_its_destinations(
    bits: int, first: int, accepted_by: tuple[int, ...], lost: int, misrouted: int
) -> None:
    call = (0, "kvm_hypercall", f"nr 0xa a0 {bits:#x} a1 0x0 a2 {first:#x} a3 0xfd")
    facts = fold([*START, call, *(accept(0, vcpu, 0xFD) for vcpu in accepted_by)], vcpus=4)
    found = facts.conservation(source=IrqSource.IPI)
    assert (found.raised, found.expected) == (1, bits.bit_count())
    assert (found.lost, found.misrouted) == (lost, misrouted)


def test_other_hypercalls_raise_nothing() -> None:
    assert fold([*START, (0, "kvm_hypercall", "nr 0x2a a0 0x1 a1 0x0 a2 0x0 a3 0xfd")]).raises == ()


def test_a_thread_is_known_from_its_next_entry_or_from_the_caller() -> None:
    events = [msi(49, 1), accept(QEMU, 1, 49), inject(1, 49)]
    assert [d.vcpu for d in fold([*events, entry(1, 2)]).deliveries] == [1]
    assert "no known vCPU" in fold(events).notes[0]
    given = fold_irqs(records(events), rules_of(Flavour.ROY), pid_to_vcpu={1001: 1})
    assert [d.vcpu for d in given.deliveries] == [1]


@pytest.mark.parametrize(
    ("flavour", "events", "vmpls"),
    [
        (Flavour.ROY, [entry(0, 2), accept(0, 0, 49), inject(0, 49), entry(0, 0)], [(0, Basis.INFERRED)]),
        (Flavour.ROY, [entry(0, 2), accept(0, 0, 49), inject(0, 49)], [(None, Basis.UNKNOWN)]),
        (Flavour.TOM, [entry(0), accept(0, 0, 49), inject(0, 49), entry(0)], [(None, Basis.UNKNOWN)]),
        (Flavour.PLANES_V1, [entry(0), nae(0), inject(0, 49), msr(0)], [(0, Basis.INFERRED)]),
        (Flavour.PLANES_V1, [entry(0), msr(0), msr_exit(0), inject(0, 49), nae(0)], [(2, Basis.INFERRED)]),
        # VMPL0 asks to leave though it had left: the one vector in between is why it ran.
        (Flavour.PLANES_V1, [entry(0), msr(0), msr_exit(0), inject(0, 49), msr(0)], [(0, Basis.INFERRED)]),
        (
            Flavour.PLANES_V1,
            [entry(0), msr(0), msr_exit(0), inject(0, 49), inject(0, 50), msr(0)],
            [(None, Basis.UNKNOWN), (None, Basis.UNKNOWN)],
        ),
        # A refused return leaves VMPL0 running.
        (
            Flavour.PLANES_V1,
            [entry(0), msr(0), msr_exit(0, 1 << 32 | 0x17), inject(0, 49), inject(0, 50), msr(0)],
            [(0, Basis.INFERRED), (0, Basis.INFERRED)],
        ),
    ],
)
def test_the_vmpl_of_a_delivery(flavour: Flavour, events: list[Event], vmpls: list[tuple[int | None, Basis]]) -> None:
    facts = fold(events, flavour)
    assert [(d.vmpl, d.basis) for d in facts.deliveries] == vmpls
    assert bool(facts.vmpl_reason) == (None in [vmpl for vmpl, _ in vmpls])


def test_a_plane_is_stated_where_the_tracepoint_has_it() -> None:
    taken = (QEMU, "kvm_apic_accept_irq", "apicid 0 vec 49 plane 2 (Fixed|edge)")
    facts = fold([entry(0), msi(49, 0, plane=2), taken, inject(0, 49), entry(0)], Flavour.PLANES_617)
    assert [(d.vmpl, d.basis) for d in facts.deliveries] == [(2, Basis.FIELD)]


def test_an_ipi_of_unknown_reach_expects_nothing() -> None:
    facts = fold([*START, ipi(0, 251, shorthand="all"), accept(0, 0, 251), accept(0, 1, 251)], vcpus=None)
    assert facts.conservation().expected is None and facts.conservation().lost == 0


def test_a_spurious_eoi_is_counted_and_a_strange_one_noted() -> None:
    facts = fold([*START, (0, "kvm_eoi", "apicid 0 vector -1"), eoi(0, 60)])
    assert facts.spurious_eois == 1
    assert facts.notes == ("vCPU 0 ended vector 60 that no injection explains",)


def test_interrupts_belong_to_the_step_of_their_time() -> None:
    facts = fold([*START, *keyboard(), mark("keys", "begin"), *keyboard(), *keyboard(), mark("keys", "end")])
    assert sums(facts.conservation(gsi=1, step="keys")) == (2, 2, 2, 0, 2)
    assert len(facts.select(step="keys")) == 2


def test_a_long_trace_is_conserved() -> None:
    machine = Machine(vcpus=4, seed=9)
    source = machine.lines()
    lines = [next(source) for _ in range(30_000)]
    facts = fold_irqs(Decoder(IRQ_EVENTS).records(["".join(lines).encode()]), rules_of(Flavour.ROY), vcpus=4)
    found = facts.conservation()
    assert found.accepted == sum("accept_irq" in line for line in lines)
    assert found.raised - found.accepted in (0, 1)  # the trace may end between the two
    assert found.duplicated == found.misrouted == found.unexplained == 0
