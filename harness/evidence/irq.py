"""Count interrupt deliveries: raised, accepted by a local APIC, injected, ended by EOI; and where each went.

:class:`~harness.evidence.irq_fold.IrqFold` builds these facts from a trace. Conservation: every accepted vector is
delivered, merged into one that was already pending in the same APIC (the IRR has one bit a vector), or pending at the
end of the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.evidence.flavour import Flavour
from harness.evidence.steps import StepIndex, Window

__all__ = ["Accept", "Basis", "Conservation", "Delivery", "Fate", "IrqFacts", "IrqSource", "Raise"]


class IrqSource(StrEnum):
    """Name who raised an interrupt."""

    #: A line of the in-kernel IOAPIC.
    GSI = "GSI"
    MSI = "MSI"
    IPI = "IPI"
    PIC = "PIC"
    #: No tracepoint raised it: the APIC timer, LINT pins, and vectors that come again at their EOI.
    LOCAL = "local"


class Basis(StrEnum):
    """Say how the VMPL of a delivery is known."""

    FIELD = "stated by the tracepoint"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


class Fate(StrEnum):
    """Name what became of an accepted vector."""

    DELIVERED = "delivered"
    MERGED = "merged"
    PENDING = "pending"
    #: NMI, SMI, INIT and SIPI have no injection tracepoint.
    UNTRACED = "delivery not traced"


class Raise(NamedTuple):
    """Hold one raised interrupt.

    ``by_vcpu`` is the vCPU whose thread raised it, None for any other thread. ``gsi`` is None where the source has
    none. ``destination`` is the APIC id for a physical destination, None for a logical one or a broadcast.
    ``expected`` is how many APICs must accept it, None where that depends on what the trace does not show.
    ``accepted_by`` are the vCPUs that did.
    """

    line: int
    at: int
    by_vcpu: int | None
    source: IrqSource
    gsi: int | None
    vector: int
    mode: str
    destination: int | None
    expected: int | None
    accepted_by: tuple[int, ...]
    masked: bool
    coalesced: bool

    @property
    def lost(self) -> int:
        """Return how many acceptances are missing; 0 for a masked or coalesced one."""
        if self.masked or self.coalesced or self.expected is None:
            return 0
        return max(0, self.expected - len(self.accepted_by))

    @property
    def duplicated(self) -> int:
        """Return how many acceptances there are too many."""
        return 0 if self.expected is None else max(0, len(self.accepted_by) - self.expected)

    @property
    def misrouted(self) -> bool:
        """Tell whether an APIC accepted it that is not its destination."""
        return self.destination is not None and any(vcpu != self.destination for vcpu in self.accepted_by)


class Accept(NamedTuple):
    """Hold one acceptance by a local APIC. ``raised`` is the line of its raise, None for a local source."""

    line: int
    at: int
    vcpu: int
    vector: int
    mode: str
    trigger: str
    plane: int | None
    source: IrqSource
    raised: int | None
    fate: Fate


class Delivery(NamedTuple):
    """Hold one injected vector.

    ``vmpl`` is who got it, None where that is unknown. ``accepted_at`` is None if no acceptance explains it.
    ``merged`` counts further acceptances that this one injection answers. ``eoi_at`` is None if no EOI was seen.
    """

    line: int
    at: int
    vcpu: int
    vector: int
    source: IrqSource
    vmpl: int | None
    basis: Basis
    accepted_at: int | None
    merged: int
    eoi_at: int | None


@dataclass(frozen=True, slots=True)
class Conservation:
    """Hold the numbers that must add up: ``accepted == delivered + merged + pending + untraced``.

    ``raised`` leaves out masked and coalesced ones, which stand beside it. ``expected`` must have been accepted; None
    if a raise of unknown reach (logical, broadcast) is among them. ``local`` of the accepted ones have no raise: normal
    for the APIC timer, one too many for a vector that a device or an IPI raises. ``unexplained`` injections have no
    acceptance, and are not in ``delivered``.
    """

    raised: int
    expected: int | None
    masked: int
    coalesced: int
    accepted: int
    local: int
    delivered: int
    merged: int
    pending: int
    untraced: int
    unexplained: int
    ended: int
    lost: int
    duplicated: int
    misrouted: int

    @property
    def holds(self) -> bool:
        """Tell whether nothing is lost, duplicated, misrouted or unexplained, and the sums are right."""
        parts = self.delivered + self.merged + self.pending + self.untraced
        return parts == self.accepted and not (self.lost or self.duplicated or self.misrouted or self.unexplained)


@dataclass(frozen=True, slots=True)
class IrqFacts:
    """Hold all interrupts of a trace in the order of time.

    ``vmpl_reason`` says why some VMPLs are unknown, empty if none is. ``spurious_eois`` counts EOIs with nothing in
    service (vector -1).
    """

    flavour: Flavour
    raises: tuple[Raise, ...]
    accepts: tuple[Accept, ...]
    deliveries: tuple[Delivery, ...]
    spurious_eois: int
    windows: tuple[Window, ...]
    notes: tuple[str, ...]
    vmpl_reason: str

    def conservation(
        self,
        *,
        vector: int | None = None,
        vcpu: int | None = None,
        source: IrqSource | None = None,
        gsi: int | None = None,
        step: str | None = None,
    ) -> Conservation:
        """Add up one vector, accepting vCPU, source, GSI or step; None takes all.

        With ``vcpu``, raises count by their physical destination. With ``gsi`` or ``source``, acceptances of the same
        vectors that nobody raised are counted too, as ``local``.
        """
        index = StepIndex(self.windows) if step is not None else None

        def fits(event: Raise | Accept | Delivery) -> bool:
            return (vector is None or event.vector == vector) and (
                index is None or index.step_at(event.at, event.line) == step
            )

        raises = [
            r
            for r in self.raises
            if fits(r)
            and (gsi is None or r.gsi == gsi)
            and (source is None or r.source is source)
            and (vcpu is None or r.destination == vcpu)
        ]
        # A vector that somebody raises and that is accepted once more without a raise belongs to the same sum.
        vectors = None if gsi is None and source in (None, IrqSource.LOCAL) else {r.vector for r in raises}

        def belongs(event: Accept | Delivery) -> bool:
            if not fits(event) or (vcpu is not None and event.vcpu != vcpu):
                return False
            if vectors is None:
                return source is None or event.source is source
            local = event.source is IrqSource.LOCAL
            return event.vector in vectors and (local or source in (None, event.source))

        accepts = [a for a in self.accepts if belongs(a)]
        injected = [d for d in self.deliveries if belongs(d)]
        real = [r for r in raises if not r.masked and not r.coalesced]
        reach = [r.expected for r in real]
        return Conservation(
            raised=len(real),
            expected=None if None in reach else sum(count for count in reach if count is not None),
            masked=sum(r.masked for r in raises),
            coalesced=sum(r.coalesced for r in raises),
            accepted=len(accepts),
            local=sum(a.raised is None for a in accepts),
            delivered=sum(a.fate is Fate.DELIVERED for a in accepts),
            merged=sum(a.fate is Fate.MERGED for a in accepts),
            pending=sum(a.fate is Fate.PENDING for a in accepts),
            untraced=sum(a.fate is Fate.UNTRACED for a in accepts),
            unexplained=sum(d.accepted_at is None and d.source is not IrqSource.PIC for d in injected),
            ended=sum(d.eoi_at is not None for d in injected),
            lost=sum(r.lost for r in raises),
            duplicated=sum(r.duplicated for r in raises),
            misrouted=sum(r.misrouted for r in raises),
        )

    def select(
        self,
        *,
        vector: int | None = None,
        vcpu: int | None = None,
        source: IrqSource | None = None,
        step: str | None = None,
    ) -> tuple[Delivery, ...]:
        """Return the deliveries of one vector, vCPU, source or step; None takes all."""
        index = StepIndex(self.windows) if step is not None else None
        return tuple(
            d
            for d in self.deliveries
            if (vector is None or d.vector == vector)
            and (vcpu is None or d.vcpu == vcpu)
            and (source is None or d.source is source)
            and (index is None or index.step_at(d.at, d.line) == step)
        )

    def by_vmpl(self, **wanted: int) -> dict[int | None, int]:
        """Count deliveries by VMPL, None for unknown; ``wanted`` as in :meth:`select` (vector, vcpu)."""
        counts: dict[int | None, int] = {}
        for delivery in self.select(vector=wanted.get("vector"), vcpu=wanted.get("vcpu")):
            counts[delivery.vmpl] = counts.get(delivery.vmpl, 0) + 1
        return counts
