"""Tell KVM's reading of its interrupt routes from interrupts: both print kvm_msi_set_irq.

With a split irqchip the IOAPIC is QEMU's, and each of its pins is an MSI route of KVM's. Whenever one changes, every
vCPU reads all of them before its next entry, to learn whose EOIs QEMU wants to hear of: KVM_REQ_SCAN_IOAPIC,
kvm_scan_ioapic_routes() and kvm_set_msi_irq() in arch/x86/kvm (irq_comm.c; later irq.c), which prints the event for
each route, delivered or not. A boot of Linux prints 12,000 of them.
"""

from __future__ import annotations

__all__ = ["IOAPIC_PINS", "RouteScan"]

#: Pins of QEMU's IOAPIC, each of which has a route (hw/intc/ioapic_internal.h, IOAPIC_NUM_PINS); a scan reads them all.
IOAPIC_PINS = 24


class RouteScan:
    """Collect one thread's MSI raises that nobody accepted yet, until it enters its guest.

    Only a vCPU's thread enters a guest, so that what a device raises stays a raise. Positions are the caller's.
    """

    __slots__ = ("_open",)

    def __init__(self) -> None:
        """Start with none."""
        self._open: list[int] = []

    def raised(self, position: int) -> None:
        """Note a raise."""
        self._open.append(position)

    def accepted(self, position: int) -> None:
        """Take a raise out: a scan delivers nothing."""
        if self._open and self._open[-1] == position:
            self._open.pop()

    def entered(self) -> list[int]:
        """Return which raises were scans, now that the thread enters its guest, and begin anew.

        Whole scans only, the last ones: what the thread raised itself, and nobody accepted, came before.
        """
        begun, self._open = self._open, []
        return begun[len(begun) % IOAPIC_PINS :]
