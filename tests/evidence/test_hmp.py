from __future__ import annotations

import pytest

from harness.evidence.hmp import idt_base, idt_handler, parse_irq_total, parse_lapic, parse_registers
from harness.evidence.vitals import CpuLook

# QEMU 7.2, a 64-bit kernel on one CPU and the other in real mode, waiting for its start.
REGISTERS = """
CPU#0
RAX=0000000000000000 RBX=ffffffff9a20f940 RCX=0000000000000001 RDX=4000000000000000
RIP=ffffffffb91c3643 RFL=00000283 [--S---C] CPL=0 II=0 A20=1 SMM=0 HLT=0
GDT=     fffffe0000001000 0000007f
IDT=     fffffe0000000000 00000fff

CPU#1
EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1
EIP=0000fff0 EFL=00000002 [-------] CPL=3 II=0 A20=1 SMM=0 HLT=1
IDT=     00000000 0000ffff
"""
ENCRYPTED = """
CPU#0
RAX=0000000000000000 RBX=0000000000000000
RIP=0000000000000000 RFL=00000000 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
IDT=     0000000000000000 00000000
"""
LAPIC = """dumping local APIC state for CPU 0

SPIV	 0x000001ff APIC enabled, focus=off, spurious vec 255
ISR	 {isr}
IRR	 {irr}

APR 0x00 TPR 0x{ppr} DFR 0x0f LDR 0x01 PPR 0x{ppr}
"""


def test_registers_of_each_cpu() -> None:
    assert parse_registers(REGISTERS) == (
        CpuLook(0, 0xFFFFFFFFB91C3643, halted=False, interrupts_on=True, user=False),
        CpuLook(1, 0xFFF0, halted=True, interrupts_on=False, user=True),
    )


@pytest.mark.parametrize("text", ["", ENCRYPTED, "CPU#0\nunknown command\n"])
def test_zeros_are_no_registers(text: str) -> None:
    assert parse_registers(text) == ()


def test_where_the_idt_is() -> None:
    assert idt_base(REGISTERS) == 0xFFFFFE0000000000
    assert idt_base(ENCRYPTED) is None
    assert idt_base("") is None


def test_a_gate_names_its_handler() -> None:
    gate = "fffffe0000000000: 0xb9c08e0000100b60 0x00000000ffffffff\n"
    assert idt_handler(gate) == 0xFFFFFFFFB9C00B60
    assert idt_handler("fffffe0000000000: Cannot access memory\n") is None


@pytest.mark.parametrize(
    ("irr", "isr", "ppr", "waiting"),
    [
        ("(none)", "(none)", "00", ()),
        ("49 236 ", "(none)", "00", (49, 236)),
        ("49(level) 236 ", "(none)", "10", (49, 236)),
        # The CPU is busy with a vector of the same class, or its task priority holds this one back.
        ("49 236 ", "52 ", "30", (236,)),
        ("49 ", "(none)", "f0", ()),
    ],
)
def test_vectors_that_could_be_delivered(irr: str, isr: str, ppr: str, waiting: tuple[int, ...]) -> None:
    assert parse_lapic(LAPIC.format(irr=irr, isr=isr, ppr=ppr)) == waiting


def test_a_local_apic_that_is_off_holds_nothing() -> None:
    assert parse_lapic(LAPIC.format(irr="49 ", isr="(none)", ppr="00").replace("enabled", "disabled")) == ()
    assert parse_lapic("No local APIC\n") == ()


def test_interrupts_are_counted_of_one_controller() -> None:
    text = "IRQ statistics for ioapic:\n 0: 93\n 1: 11\nIRQ statistics for isa-i8259:\n 0: 93\n 1: 11\n"
    assert parse_irq_total(text) == 104
    assert parse_irq_total("IRQ statistics not available for ioapic.\n") is None
