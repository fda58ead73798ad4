"""``irq_routing``: every interrupt of a source reached the VMPL, vCPU and vector that it should, exactly once.

Conservation: raised = accepted = delivered + merged + pending. Two witnesses: where the guest reports its own counts by
vector and CPU, they are confronted with the deliveries in the trace. A VMPL that the flavour's tracepoints do not state
is inferred from the next kvm_entry, which the reason says; where that is impossible, the answer is INCONCLUSIVE.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Evidence, Place, Verdict, span
from harness.checks.trace_check import TraceCheck
from harness.evidence.flavour import Flavour
from harness.evidence.interrupts import change
from harness.evidence.irq import Accept, Basis, Conservation, Delivery, Fate, IrqFacts, IrqSource
from harness.evidence.irq_source import find_vectors
from harness.evidence.steps import StepIndex
from harness.evidence.trace import TraceFacts

__all__ = ["IrqRoutingCheck"]

# How often each (vector, CPU) was counted.
_Counts = Mapping[tuple[int, int], int]


class IrqRoutingCheck(TraceCheck):
    """Expect where the interrupts of a source went."""

    key: ClassVar[str] = "irq_routing"
    source: IrqSource | None = Field(default=None, strict=False, description="Who raises it: GSI, MSI, IPI, local.")
    vector: int | None = Field(default=None, ge=0, le=255, description="Only this vector.")
    gsi: int | None = Field(default=None, ge=0, description="Only this GSI: 1 is the keyboard's.")
    vmpl: int | None = Field(default=None, ge=0, le=3, description="The VMPL that must get every one of them.")
    vcpu: int | None = Field(default=None, ge=0, description="The vCPU that must get every one of them.")
    count: int | None = Field(default=None, ge=0, description="Exactly this many are delivered.")
    at_least: int | None = Field(default=None, ge=0, description="This many or more are delivered.")
    merged: int | None = Field(default=None, ge=0, description="At most this many may be merged into one delivery.")
    pending: int = Field(default=0, ge=0, description="At most this many may still wait at the end.")
    confront: bool = Field(default=True, description="Compare with the counts that the guest reports, if it does.")
    guest_source: str | None = Field(
        default=None,
        min_length=1,
        description="Source of /proc/interrupts that must have grown by as many, on the same CPUs: i8042, "
        "virtio1-input.0. It needs source: MSI or GSI, and finds the vector by itself where none is given.",
    )

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if self.source is None and self.vector is None and self.gsi is None:
            raise ValueError("irq_routing needs source, vector or gsi: which interrupts are meant?")
        if self.guest_source is not None and self._raised_by is None:
            raise ValueError("guest_source needs source: MSI or GSI, or a gsi: /proc/interrupts names no others")
        return self

    # Whether samples are needed depends on a key here.
    @property
    def needs_samples(self) -> bool:  # type: ignore[override]
        """Ask for the guest's counts around each step if they are compared."""
        return self.guest_source is not None

    # Who raises the interrupts of guest_source.
    @property
    def _raised_by(self) -> IrqSource | None:
        if self.source is None and self.gsi is not None:
            return IrqSource.GSI
        return self.source if self.source in (IrqSource.GSI, IrqSource.MSI) else None

    def find_in(self, trace: TraceFacts, evidence: Evidence) -> Verdict:
        """Add up, look where each went, and confront with the guest."""
        irqs = trace.irqs
        assert irqs is not None  # TraceCheck.find
        if self.guest_source is not None:
            return self._at_guest_source(irqs, evidence, self.guest_source)
        sums = irqs.conservation(vector=self.vector, source=self.source, gsi=self.gsi, step=self.during)
        delivered = self._deliveries(irqs)
        untraced = self._untraced(irqs)
        said = f"{self._what()}: {sums.raised} raised, {sums.accepted} accepted, {len(delivered)} delivered"
        said += f", the delivery of {len(untraced)} is not traced" if untraced else ""
        got: tuple[Delivery | Accept, ...] = (*delivered, *untraced)
        for wrong in (self._conserved(sums), self._counted(got), self._at_vcpu(got)):
            if wrong is not None:
                return self.failed(f"{said}: {self._astray(irqs)}{wrong}", self._place(irqs, got))
        guest = self._guest_counts(evidence) if self.confront else None
        verdict = self._at_vmpl(delivered, untraced, irqs, guest, said)
        if verdict is not None:
            return verdict
        if guest is not None:
            wrong = self._witness(got, guest, only_guest=irqs.flavour is Flavour.MAINLINE)
            if wrong is not None:
                return self.failed(f"{said}: {wrong}")
        inferred = any(delivery.basis is Basis.INFERRED for delivery in delivered)
        return self.passed(said + (" (VMPL inferred from the next kvm_entry)" if inferred else ""))

    def _at_guest_source(self, irqs: IrqFacts, evidence: Evidence, name: str) -> Verdict:
        source = self._raised_by
        assert source is not None  # _selects
        samples = span(evidence.facts, self.during)
        if samples is None:
            around = self.during or "the steps"
            return self.unknown(f"the guest was not asked for its interrupts before and after {around}")
        try:
            grown = change(name, samples[0].interrupts, samples[1].interrupts)
        except ValueError as error:
            return self.unknown(str(error))
        guest = {cpu: count for cpu, count in grown.by_cpu if count}
        found = find_vectors(irqs, source, guest, self.during, self.vector, self.gsi)
        by_cpu = ", ".join(f"CPU {cpu}: {count}" for cpu, count in guest.items()) or "none"
        said = f"{source} of {name}: the guest counted {grown.total} ({by_cpu})"
        if found.unexplained:
            cpu, here = next(iter(found.unexplained.items()))
            seen = ", ".join(f"{count} of vector {vector:#x}" for vector, count in sorted(here.items())) or "none"
            return self.failed(f"{said}; no vector was delivered as often on vCPU {cpu}, the trace has {seen}")
        vectors = ", ".join(f"{vector:#x} on vCPU {cpu}" for cpu, vector in sorted(found.vectors.items()))
        said += f", the trace delivered as many ({vectors})" if vectors else ""
        for sums in found.conservation(irqs, source, self.during):
            if wrong := self._conserved(sums):
                return self.failed(f"{said}: {wrong}")
        elsewhere = [cpu for cpu in guest if self.vcpu is not None and cpu != self.vcpu]
        if elsewhere:
            return self.failed(f"{said}: {guest[elsewhere[0]]} not on vCPU {self.vcpu}, but on vCPU {elsewhere[0]}")
        if self.count is not None and grown.total != self.count:
            return self.failed(f"{said}: expected {self.count} ({grown.total - self.count:+d})")
        if self.at_least is not None and grown.total < self.at_least:
            return self.failed(f"{said}: expected at least {self.at_least}")
        return self.passed(said)

    def _deliveries(self, irqs: IrqFacts) -> tuple[Delivery, ...]:
        delivered = irqs.select(vector=self.vector, source=self.source, step=self.during)
        if self.gsi is None:
            return delivered
        vectors = {raised.vector for raised in irqs.raises if raised.gsi == self.gsi}
        return tuple(delivery for delivery in delivered if delivery.vector in vectors)

    # An NMI has no injection tracepoint: its acceptance is the last that the trace shows of it.
    def _untraced(self, irqs: IrqFacts) -> tuple[Accept, ...]:
        index = StepIndex(irqs.windows) if self.during is not None else None
        return tuple(
            accept
            for accept in irqs.accepts
            if accept.fate is Fate.UNTRACED
            and self.gsi is None
            and self.vector in (None, accept.vector)
            and self.source in (None, accept.source)
            and (index is None or index.step_at(accept.at, accept.line) == self.during)
        )

    def _what(self) -> str:
        parts = [str(self.source or "interrupts")]
        parts += [] if self.gsi is None else [f"GSI {self.gsi}"]
        parts += [] if self.vector is None else [f"vector {self.vector:#x}"]
        return " ".join(parts)

    def _conserved(self, sums: Conservation) -> str | None:
        # Every interrupt of these vectors was raised by somebody, unless the local APIC itself is the source.
        unraised = sums.local if self.source is not IrqSource.LOCAL and sums.raised else 0
        found = (
            (sums.lost, "lost: raised and never accepted"),
            (sums.duplicated, "accepted more than once"),
            (sums.misrouted, "accepted by another vCPU than the one addressed"),
            (unraised, "accepted and never raised"),
            (sums.unexplained, "injected and never accepted"),
            (max(0, sums.pending - self.pending), "accepted and never delivered"),
        )
        wrong = [f"{number} {what}" for number, what in found if number]
        if self.merged is not None and sums.merged > self.merged:
            wrong.append(f"{sums.merged} merged, expected at most {self.merged}")
        return ", ".join(wrong) or None

    def _counted(self, delivered: tuple[Delivery | Accept, ...]) -> str | None:
        if self.count is not None and len(delivered) != self.count:
            return f"expected {self.count} ({len(delivered) - self.count:+d})"
        if self.at_least is not None and len(delivered) < self.at_least:
            return f"expected at least {self.at_least}"
        return None

    def _at_vcpu(self, delivered: tuple[Delivery | Accept, ...]) -> str | None:
        wrong = [delivery for delivery in delivered if self.vcpu is not None and delivery.vcpu != self.vcpu]
        if not wrong:
            return None
        return f"{len(wrong)} not on vCPU {self.vcpu}, the first on vCPU {wrong[0].vcpu} in line {wrong[0].line}"

    def _place(self, irqs: IrqFacts, delivered: tuple[Delivery | Accept, ...]) -> Place | None:
        # The first raise that did not arrive as it should, or the first delivery elsewhere.
        for raised in irqs.raises:
            if (raised.lost or raised.duplicated or raised.misrouted) and self.vector in (None, raised.vector):
                vcpu = raised.destination if raised.destination is not None else raised.by_vcpu
                return Place(raised.at, vcpu or 0)
        wrong = [delivery for delivery in delivered if self.vcpu is not None and delivery.vcpu != self.vcpu]
        return Place(wrong[0].at, wrong[0].vcpu) if wrong else None

    # What an APIC of another VMPL accepted in the step may be delivered only when that VMPL runs, after the step.
    def _astray(self, irqs: IrqFacts) -> str:
        if self.vmpl is None or self.during is None:
            return ""
        index = StepIndex(irqs.windows)
        vectors = {raised.vector for raised in irqs.raises if self.gsi is not None and raised.gsi == self.gsi}
        elsewhere = [
            delivery
            for delivery in irqs.select(vector=self.vector, source=self.source)
            if delivery.vmpl not in (None, self.vmpl)
            and (self.gsi is None or delivery.vector in vectors)
            and delivery.accepted_at is not None
            and index.step_at(delivery.accepted_at, 0) == self.during
        ]
        return f"{len(elsewhere)} went to VMPL{elsewhere[0].vmpl} {_where(elsewhere[0])}; " if elsewhere else ""

    def _at_vmpl(
        self,
        delivered: tuple[Delivery, ...],
        untraced: tuple[Accept, ...],
        irqs: IrqFacts,
        guest: _Counts | None,
        said: str,
    ) -> Verdict | None:
        if self.vmpl is None:
            return None
        wrong = [delivery for delivery in delivered if delivery.vmpl not in (None, self.vmpl)]
        if wrong:
            first = wrong[0]
            how = f"{len(wrong)} not to VMPL{self.vmpl}, the first to VMPL{first.vmpl}"
            if first.basis is Basis.INFERRED:
                how += " (inferred)"
                if guest is not None and self.vmpl and _all_counted(wrong, delivered, guest):
                    # The inference is the weaker witness: VMPL0 ran for another reason.
                    return self.unknown(f"{said}: {how}, but the guest counted all {len(delivered)} itself")
            return self.failed(f"{said}: {how}: vector {first.vector:#x} {_where(first)}", Place(first.at, first.vcpu))
        unknown = sum(delivery.vmpl is None for delivery in delivered)
        if unknown:
            return self.unknown(f"{said}: the VMPL of {unknown} is unknown: {irqs.vmpl_reason}")
        if untraced:
            mode = untraced[0].mode
            return self.unknown(
                f"{said}: the VMPL of {len(untraced)} is unknown: no tracepoint shows an {mode} injected"
            )
        return None

    # None where the guest reports no counts of its own; a vector that it does not list then came 0 times.
    def _guest_counts(self, evidence: Evidence) -> _Counts | None:
        report = evidence.facts.report
        if report is None or not report.complete or not any(f.label.endswith("irq") for f in report.figures):
            return None
        if self.during is None:
            lines = [f for f in report.figures if f.label == "total irq"]
        else:
            results = [r for r in report.subresults if r.name[-1] == self.during]
            if not results:
                return None
            lines = [f for r in results for f in r.figures if f.label == "irq"]
        return {(int(f.get("vector") or 0), int(f.get("cpu") or 0)): int(f.get("count") or 0) for f in lines}

    # The guest counts what it got; VMPL0's interrupts are the SVSM's, and one of unknown VMPL may be either's. Where
    # KVM knows no VMPL (`only_guest`), all are the guest's.
    def _witness(self, delivered: tuple[Delivery | Accept, ...], guest: _Counts, *, only_guest: bool) -> str | None:
        certain = Counter((d.vector, d.vcpu) for d in delivered if only_guest or isinstance(d, Accept) or d.vmpl)
        unknown = Counter((d.vector, d.vcpu) for d in delivered if isinstance(d, Delivery) and d.vmpl is None)
        unknown -= certain
        vectors = {delivery.vector for delivery in delivered} | ({self.vector} if self.vector is not None else set())
        for vector, cpu in sorted({key for key in guest if key[0] in vectors} | certain.keys() | unknown.keys()):
            counted, least = guest.get((vector, cpu), 0), certain[vector, cpu]
            most = least + unknown[vector, cpu]
            if not least <= counted <= most:
                what = f"vector {vector:#x} on CPU {cpu}"
                return f"the guest counted {counted} of {what}, the trace delivered {most if counted > most else least}"
        return None


def _where(delivery: Delivery) -> str:
    return f"on vCPU {delivery.vcpu} in line {delivery.line}"


def _all_counted(wrong: Sequence[Delivery], delivered: Sequence[Delivery], guest: _Counts) -> bool:
    host = Counter((delivery.vector, delivery.vcpu) for delivery in delivered)
    return all(guest.get((d.vector, d.vcpu), 0) == host[d.vector, d.vcpu] for d in wrong)
