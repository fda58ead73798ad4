"""Read what QEMU's human monitor prints of CPUs and interrupt controllers; there is no QMP command for them."""

from __future__ import annotations

import re

from harness.evidence.vitals import CpuLook

__all__ = ["idt_base", "idt_handler", "parse_irq_total", "parse_lapic", "parse_registers"]

_CPU = re.compile(r"^CPU#(\d+)", re.MULTILINE)
# QEMU target/i386/cpu-dump.c: 64-bit form first, then the 32-bit one.
_STATE = re.compile(
    r"\b(?:RIP|EIP)=([0-9a-f]+) (?:RFL|EFL)=([0-9a-f]+) \[[^\]]*\] CPL=(\d) II=\d A20=\d SMM=\d HLT=(\d)"
)
_IDT = re.compile(r"^IDT=\s+([0-9a-f]+) ", re.MULTILINE)
_INTERRUPT_FLAG = 1 << 9


def parse_registers(text: str) -> tuple[CpuLook, ...]:
    """Read ``info registers -a``; registers that are all zero are no registers (an encrypted guest's) and left out."""
    found = []
    parts = _CPU.split(text)
    for vcpu, body in zip(parts[1::2], parts[2::2], strict=True):
        match = _STATE.search(body)
        if match is None:
            continue
        rip, flags = int(match[1], 16), int(match[2], 16)
        # Bit 1 of RFLAGS always reads as 1 (AMD APM volume 2, 3.1.6), so zero flags are not the guest's.
        if flags:
            found.append(CpuLook(int(vcpu), rip, match[4] == "1", bool(flags & _INTERRUPT_FLAG), match[3] == "3"))
    return tuple(found)


def idt_base(text: str) -> int | None:
    """Return where the first CPU of ``info registers -a`` has its IDT; None if that is not shown or is zero."""
    found = _IDT.search(text)
    return (int(found[1], 16) or None) if found else None


def idt_handler(text: str) -> int | None:
    """Return the handler of a 64-bit gate, read by ``x /2gx ADDRESS``; None if the output is something else."""
    words = [int(word, 16) for word in re.findall(r"\b0x([0-9a-f]{16})\b", text)]
    if len(words) != 2:
        return None
    low, high = words
    # AMD APM volume 2, figure 4-24: the offset is in three pieces.
    return (low & 0xFFFF) | (low >> 48 & 0xFFFF) << 16 | (high & 0xFFFFFFFF) << 32


def parse_lapic(text: str) -> tuple[int, ...]:
    """Return the vectors of ``info lapic`` that are requested and of a higher class than what the CPU is busy with.

    Empty for an APIC that is disabled, or whose task priority holds all of them back.
    """
    requested = re.search(r"^IRR\s+(.*)$", text, re.MULTILINE)
    priority = re.search(r"\bPPR 0x([0-9a-f]+)", text)
    if requested is None or priority is None or "APIC disabled" in text:
        return ()
    vectors = (int(word) for word in re.findall(r"\b(\d+)(?=\(|\s|$)", requested[1]))
    return tuple(vector for vector in vectors if vector >> 4 > int(priority[1], 16) >> 4)


def parse_irq_total(text: str) -> int | None:
    """Return how many interrupts the first controller of ``info irq`` has counted; None if it prints no count."""
    first = text.partition("IRQ statistics for ")[2].partition("IRQ statistics for ")[0]
    counts = [int(count) for count in re.findall(r"^\s*\d+: (\d+)", first, re.MULTILINE)]
    return sum(counts) if counts else None
