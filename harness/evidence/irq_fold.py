"""Build the facts about interrupts from the records of a trace, by the rules of its flavour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.evidence.flavour import FlavourRules, IrqVmpl
from harness.evidence.ftrace import Record
from harness.evidence.irq import Accept, Basis, Delivery, Fate, IrqFacts, IrqSource, Raise
from harness.evidence.irq_scan import IOAPIC_PINS, RouteScan
from harness.evidence.irq_vmpl import VmplGuess
from harness.evidence.probe_marks import PROBE_MARK
from harness.evidence.steps import Window, windows_from_marks
from harness.evidence.trace_events import (
    AcceptIrq,
    AckIrq,
    ApicIpi,
    Eoi,
    InjectVirq,
    IoapicSetIrq,
    KvmEntry,
    Mark,
    MsiSetIrq,
    SetIrq,
)
from harness.evidence.trace_events_host import Hypercall

__all__ = ["IRQ_EVENTS", "IrqFold", "fold_irqs", "in_time_order"]

IRQ_EVENTS = frozenset(
    {
        "kvm_entry",
        "kvm_vmgexit_enter",
        "kvm_vmgexit_msr_protocol_enter",
        "kvm_vmgexit_msr_protocol_exit",
        "kvm_set_irq",
        "kvm_ioapic_set_irq",
        "kvm_msi_set_irq",
        "kvm_apic_ipi",
        "kvm_apic_accept_irq",
        "kvm_inj_virq",
        "kvm_ack_irq",
        "kvm_eoi",
        "kvm_pv_eoi",
        "kvm_hypercall",
        "vmpl_model_mark",
        "tracing_mark_write",
        PROBE_MARK,
    }
)

# Linux include/uapi/linux/kvm_para.h KVM_HC_SEND_IPI; its words: Documentation/virt/kvm/x86/hypercalls.rst.
_SEND_IPI = 10
_ICR_MODE, _ICR_NMI = 0x700, 0x400
_INJECTED_MODES = frozenset({"Fixed", "LowPrio"})
_BROADCASTS = frozenset({0xFF, 0xFFFFFFFF})


def in_time_order(records: Iterable[Record]) -> list[Record]:
    """Sort by time, keeping the order of lines with equal times.

    A kernel's trace is sorted already. The VMPL model writes each CPU's lines in blocks, so that the lines of
    different CPUs are not. All records are held in memory.
    """
    return sorted(records, key=lambda record: record.at)


# What one thread is doing: a raise and its acceptances are printed one after the other by the same thread.
@dataclass(slots=True)
class _Thread:
    gsi: int | None = None
    gsi_high: bool = False
    # Position in _raises of the interrupt that this thread is delivering.
    raising: int | None = None
    # Acceptances after kvm_set_irq: the IOAPIC prints its own line behind them.
    before_ioapic: list[int] = field(default_factory=list)
    pic: bool = False
    scan: RouteScan = field(default_factory=RouteScan)


# One vector of one vCPU.
@dataclass(slots=True)
class _Line:
    pending: list[int] = field(default_factory=list)
    # Merged acceptances, by position, with the delivery that answered them.
    merged: list[tuple[int, int]] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)
    in_service: list[int] = field(default_factory=list)


class IrqFold:
    """Take the records of a trace one by one in the order of time (see :func:`in_time_order`); then ask for the facts.

    ``vcpus`` is the machine's number of vCPUs, None if unknown: then the reach of a broadcast IPI is unknown too.
    ``pid_to_vcpu`` names vCPU threads that the trace itself may not show.
    """

    def __init__(
        self,
        rules: FlavourRules,
        guest_vmpl: int = 2,
        vcpus: int | None = None,
        pid_to_vcpu: dict[int, int] | None = None,
    ) -> None:
        """Start with nothing known."""
        self._rules = rules
        self._vcpus = vcpus
        self._pids = dict(pid_to_vcpu or {})
        self._guess = VmplGuess(rules, guest_vmpl)
        self._threads: dict[int, _Thread] = {}
        self._lines: dict[tuple[int, int], _Line] = {}
        self._raises: list[Raise] = []
        self._accepts: list[Accept] = []
        self._deliveries: list[Delivery] = []
        # Deliveries of a thread whose vCPU is not known yet.
        self._unplaced: dict[int, list[Record]] = {}
        self._spurious_eois = 0
        # Positions in _raises of what was only read.
        self._scanned: set[int] = set()
        self._marks: list[Record] = []
        self._notes: dict[str, int] = {}

    def take(self, record: Record) -> None:
        """Look at one record; those of other events are ignored."""
        fields = record.fields
        if record.event not in IRQ_EVENTS:
            return
        thread = self._threads.get(record.pid)
        if thread is None:
            thread = self._threads[record.pid] = _Thread()
        if isinstance(fields, AcceptIrq):
            self._accept(record, fields, thread)
        elif isinstance(fields, InjectVirq):
            if not fields.reinjected and fields.kind == "IRQ":
                self._inject(record, fields, thread)
        elif isinstance(fields, Eoi):
            self._eoi(record, fields)
        elif isinstance(fields, ApicIpi):
            self._raise_ipi(record, fields, thread)
        elif isinstance(fields, Hypercall):
            if fields.nr == _SEND_IPI:
                self._raise_pv_ipi(record, fields, thread)
        elif isinstance(fields, MsiSetIrq):
            self._raise_msi(record, fields, thread)
        elif isinstance(fields, SetIrq):
            thread.gsi, thread.gsi_high, thread.raising = fields.gsi, fields.level > 0, None
            thread.before_ioapic = []
        elif isinstance(fields, IoapicSetIrq):
            self._raise_gsi(record, fields, thread)
        elif isinstance(fields, AckIrq):
            thread.pic = fields.irqchip.startswith("PIC") and not self._pic_ended(record, fields)
        elif isinstance(fields, Mark):
            self._marks.append(record)
        else:
            if isinstance(fields, KvmEntry):
                self._thread_is(record.pid, fields.vcpu)
                self._scanned.update(thread.scan.entered())
                thread.raising, thread.gsi, thread.pic = None, None, False
            self._guess.take(record)

    def result(self, windows: Iterable[Window] | None = None) -> IrqFacts:
        """Return the facts; ``windows`` replaces the steps that the trace's own marks tell."""
        marked, problems = windows_from_marks(self._marks)
        for line in self._lines.values():
            for position in line.pending[1:]:
                self._accepts[position] = self._accepts[position]._replace(fate=Fate.MERGED)
        for waiting in self._unplaced.values():
            self._note("an injection by a thread that is no known vCPU", len(waiting))
        self._guess.finish()
        deliveries = list(self._deliveries)
        for position, (vmpl, basis) in self._guess.found.items():
            deliveries[position] = deliveries[position]._replace(vmpl=vmpl, basis=basis)
        unknown = any(delivery.basis is Basis.UNKNOWN for delivery in deliveries)
        notes = tuple(text if count == 1 else f"{text} ({count} times)" for text, count in self._notes.items())
        return IrqFacts(
            flavour=self._rules.flavour,
            raises=tuple(one for position, one in enumerate(self._raises) if position not in self._scanned),
            accepts=tuple(self._accepts),
            deliveries=tuple(deliveries),
            spurious_eois=self._spurious_eois,
            windows=marked if windows is None else tuple(windows),
            notes=notes + (problems if windows is None else ()),
            vmpl_reason=self._guess.reason if unknown else "",
        )

    def _note(self, text: str, count: int = 1) -> None:
        self._notes[text] = self._notes.get(text, 0) + count

    def _thread_is(self, pid: int, vcpu: int) -> None:
        if self._pids.get(pid) == vcpu:
            return
        self._pids[pid] = vcpu
        for record in self._unplaced.pop(pid, ()):
            if isinstance(record.fields, InjectVirq):
                self._inject(record, record.fields, _Thread())

    def _line(self, vcpu: int, vector: int) -> _Line:
        line = self._lines.get((vcpu, vector))
        if line is None:
            line = self._lines[vcpu, vector] = _Line()
        return line

    def _add(self, thread: _Thread, raise_: Raise) -> None:
        thread.raising, thread.gsi, thread.gsi_high = len(self._raises), None, False
        self._raises.append(raise_)

    def _raise_msi(self, record: Record, fields: MsiSetIrq, thread: _Thread) -> None:
        physical = fields.destination == "physical" and fields.dst not in _BROADCASTS
        one = physical or fields.mode == "LowPrio"
        # A pin of an IOAPIC that is QEMU's (split irqchip) gets here by its route; the routes of devices come behind.
        gsi = thread.gsi if thread.gsi_high else None
        source = IrqSource.GSI if gsi is not None and gsi < IOAPIC_PINS else IrqSource.MSI
        thread.scan.raised(len(self._raises))
        self._add(thread, Raise(
            record.line, record.at, self._pids.get(record.pid), source, gsi, fields.vec, fields.mode,
            fields.dst if physical else None, 1 if one else None, (), masked=False, coalesced=False,
        ))  # fmt: skip

    def _raise_ipi(self, record: Record, fields: ApicIpi, thread: _Thread) -> None:
        sender = self._pids.get(record.pid)
        destination: int | None = None
        expected: int | None = None
        if fields.shorthand == "self":
            destination, expected = sender, 1
        elif fields.shorthand == "all":
            expected = self._vcpus
        elif fields.shorthand == "all-but-self":
            expected = None if self._vcpus is None else self._vcpus - 1
        elif fields.destination == "physical" and fields.dst not in _BROADCASTS:
            destination, expected = fields.dst, 1
        elif fields.destination == "physical":
            expected = self._vcpus
        if fields.assertion == "de-assert":
            expected = None  # INIT level de-assert is accepted by nobody
        self._add(thread, Raise(
            record.line, record.at, sender, IrqSource.IPI, None, fields.vec, fields.mode, destination, expected, (),
            masked=False, coalesced=False,
        ))  # fmt: skip

    # One hypercall for many destinations: APIC ids a2 + n for each bit n of a1:a0. Linux guests of KVM send theirs so.
    def _raise_pv_ipi(self, record: Record, fields: Hypercall, thread: _Thread) -> None:
        bits = fields.a1 << 64 | fields.a0
        targets = [fields.a2 + bit for bit in range(128) if bits >> bit & 1]
        self._add(thread, Raise(
            record.line, record.at, self._pids.get(record.pid), IrqSource.IPI, None, fields.a3 & 0xFF,
            "NMI" if fields.a3 & _ICR_MODE == _ICR_NMI else "Fixed", targets[0] if len(targets) == 1 else None,
            len(targets), (), masked=False, coalesced=False,
        ))  # fmt: skip

    def _raise_gsi(self, record: Record, fields: IoapicSetIrq, thread: _Thread) -> None:
        accepted, thread.before_ioapic = thread.before_ioapic, []
        # The falling edge is printed as well (ioapic_set_irq() in arch/x86/kvm/ioapic.c), and raises nothing.
        if not thread.gsi_high and not accepted:
            return
        physical = fields.destination == "physical" and fields.dst not in _BROADCASTS
        for position in accepted:
            self._accepts[position] = self._accepts[position]._replace(source=IrqSource.GSI, raised=record.line)
            self._name_source(self._accepts[position])
        self._raises.append(Raise(
            record.line, record.at, self._pids.get(record.pid), IrqSource.GSI, thread.gsi, fields.vec, fields.mode,
            fields.dst if physical else None, 1 if physical or fields.mode == "LowPrio" else None,
            tuple(self._accepts[position].vcpu for position in accepted),
            masked=fields.masked, coalesced=fields.coalesced,
        ))  # fmt: skip
        thread.gsi_high = False

    # The vCPU may have taken the interrupt on another CPU before this thread has printed the IOAPIC's line.
    def _name_source(self, accept: Accept) -> None:
        for position in range(len(self._deliveries) - 1, -1, -1):
            delivery = self._deliveries[position]
            if delivery.at < accept.at:
                return
            same = (delivery.vcpu, delivery.vector, delivery.accepted_at) == (accept.vcpu, accept.vector, accept.at)
            if same:
                self._deliveries[position] = delivery._replace(source=accept.source)
                return

    def _accept(self, record: Record, fields: AcceptIrq, thread: _Thread) -> None:
        position = len(self._accepts)
        source, raised = IrqSource.LOCAL, None
        if thread.raising is not None and self._raises[thread.raising].vector == fields.vec:
            cause = self._raises[thread.raising]
            thread.scan.accepted(thread.raising)
            source, raised = cause.source, cause.line
            self._raises[thread.raising] = cause._replace(accepted_by=(*cause.accepted_by, fields.apicid))
        elif thread.gsi is not None and thread.gsi_high and thread.raising is None:
            thread.before_ioapic.append(position)
        traced = fields.mode in _INJECTED_MODES
        fate = Fate.PENDING if traced else Fate.UNTRACED
        self._accepts.append(Accept(
            record.line, record.at, fields.apicid, fields.vec, fields.mode, fields.trigger, fields.plane,
            source, raised, fate,
        ))  # fmt: skip
        if not traced:
            return
        line = self._line(fields.apicid, fields.vec)
        if line.unexplained and self._deliveries[line.unexplained[-1]].at == record.at:
            # Printed by another CPU in the same microsecond: the injection's line only came first.
            self._explain(line, position, line.unexplained.pop())
        else:
            line.pending.append(position)

    def _explain(self, line: _Line, accepted: int, delivery: int) -> None:
        cause = self._accepts[accepted] = self._accepts[accepted]._replace(fate=Fate.DELIVERED)
        known = self._deliveries[delivery]._replace(source=cause.source, accepted_at=cause.at)
        if self._rules.irq_vmpl is IrqVmpl.FIELD and cause.plane is not None:
            known = known._replace(vmpl=cause.plane, basis=Basis.FIELD)
        self._deliveries[delivery] = known

    def _inject(self, record: Record, fields: InjectVirq, thread: _Thread) -> None:
        vcpu = self._pids.get(record.pid)
        if vcpu is None:
            self._unplaced.setdefault(record.pid, []).append(record)
            return
        thread.raising = None
        line = self._line(vcpu, fields.vector)
        position = len(self._deliveries)
        pic = thread.pic and not line.pending
        source = IrqSource.PIC if pic else IrqSource.LOCAL
        self._deliveries.append(
            Delivery(record.line, record.at, vcpu, fields.vector, source, None, Basis.UNKNOWN, None, 0, None)
        )
        if not pic:
            line.in_service.append(position)
        if line.pending:
            first, *others = line.pending
            line.pending = []
            self._explain(line, first, position)
            for other in others:
                self._accepts[other] = self._accepts[other]._replace(fate=Fate.MERGED)
                line.merged.append((other, position))
            self._deliveries[position] = self._deliveries[position]._replace(merged=len(others))
        elif line.merged and not pic:
            # It was not merged after all: another VMPL's APIC held it.
            other, owner = line.merged.pop(0)
            self._deliveries[owner] = self._deliveries[owner]._replace(merged=self._deliveries[owner].merged - 1)
            self._explain(line, other, position)
        elif not pic:
            line.unexplained.append(position)
        if self._deliveries[position].basis is Basis.UNKNOWN:
            self._guess.injected(vcpu, position)

    # The guest's EOI to the 8259 prints kvm_ack_irq (pic_clear_isr() in arch/x86/kvm/i8259.c); only with automatic EOI
    # does that come before the injection. A vector's low three bits are the pin.
    def _pic_ended(self, record: Record, fields: AckIrq) -> bool:
        vcpu = self._pids.get(record.pid)
        ended = max(
            (
                line.unexplained[-1]
                for (owner, vector), line in self._lines.items()
                if owner == vcpu and vector & 7 == fields.pin & 7 and line.unexplained
            ),
            default=None,
        )
        if vcpu is None or ended is None:
            return False
        line = self._line(vcpu, self._deliveries[ended].vector)
        line.unexplained.remove(ended)
        if ended in line.in_service:
            line.in_service.remove(ended)
        self._deliveries[ended] = self._deliveries[ended]._replace(source=IrqSource.PIC, eoi_at=record.at)
        return True

    def _eoi(self, record: Record, fields: Eoi) -> None:
        if fields.vector < 0:
            self._spurious_eois += 1
            return
        line = self._line(fields.apicid, fields.vector)
        if line.in_service:
            position = line.in_service.pop(0)
            self._deliveries[position] = self._deliveries[position]._replace(eoi_at=record.at)
        else:
            self._note(f"vCPU {fields.apicid} ended vector {fields.vector} that no injection explains")


def fold_irqs(
    records: Iterable[Record],
    rules: FlavourRules,
    guest_vmpl: int = 2,
    vcpus: int | None = None,
    windows: Iterable[Window] | None = None,
    pid_to_vcpu: dict[int, int] | None = None,
) -> IrqFacts:
    """Build the facts from a whole trace, sorting it first; see :class:`IrqFold`."""
    fold = IrqFold(rules, guest_vmpl, vcpus, pid_to_vcpu)
    for record in in_time_order(records):
        fold.take(record)
    return fold.result(windows)
