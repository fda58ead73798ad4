"""Read the trace of one boot into facts: its integrity, the VMPL switches, the interrupts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from harness.evidence.flavour import Flavour, KernelFacts, detect, rules_of
from harness.evidence.ftrace import Decoder, Record
from harness.evidence.integrity import Integrity
from harness.evidence.irq import IrqFacts
from harness.evidence.irq_fold import IRQ_EVENTS, IrqFold, in_time_order
from harness.evidence.probe_marks import as_probe_mark
from harness.evidence.steps import Window, windows_from_marks
from harness.evidence.trace_events import Mark
from harness.evidence.vmpl import SwitchFacts
from harness.evidence.vmpl_fold import SWITCH_EVENTS, SwitchFold

__all__ = ["EVENTS", "MOST_EVENTS", "TraceFacts", "read_trace"]

# Every other event is counted by name.
EVENTS = SWITCH_EVENTS | IRQ_EVENTS
# What is derived holds about 130 bytes an event (measured), so this is 650 MB.
MOST_EVENTS = 5_000_000
_GUEST_VMPL = 2  # COCONUT-SVSM kernel/src/types.rs GUEST_VMPL, where the trace does not say


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """Hold what a trace shows. ``flavour`` decides how switches are counted; None: it could not be told.

    ``switches`` and ``irqs`` are None without a flavour, for ``reasons`` that say why. ``kept`` are the records of the
    events that were asked for by name, None if they were too many. ``windows`` are the steps that the trace marks.
    """

    integrity: Integrity
    flavour: Flavour | None
    reasons: tuple[str, ...]
    switches: SwitchFacts | None
    irqs: IrqFacts | None
    kept: tuple[Record, ...] | None = ()
    windows: tuple[Window, ...] = ()


def read_trace(
    chunks: Iterable[bytes],
    vcpus: int,
    flavour: Flavour | None = None,
    most: int = MOST_EVENTS,
    *,
    keep: Collection[str] = (),
    threads: Mapping[int, int] | None = None,
) -> TraceFacts:
    """Read a whole trace; ``flavour`` is that of the host where it is known, else the trace's own header decides.

    ``keep`` names events whose records are wanted as they are. ``threads`` maps the host's thread ids to vCPUs.

    The VMPL model writes each CPU's lines in blocks, so records are held and sorted first. A trace with more than
    ``most`` of :data:`EVENTS` is read to its end and accounted for, but no switches or interrupts are derived from it.
    """
    decoder = Decoder(EVENTS | frozenset(keep))
    held: list[Record] = []
    too_many = False
    for record in map(as_probe_mark, decoder.records(chunks)):
        if len(held) < most:
            held.append(record)
        elif not too_many:
            held.clear()
            too_many = True
            most = 0
    integrity = decoder.integrity()
    if too_many:
        why = f"the trace has more events than are analysed ({MOST_EVENTS}): trace a shorter time, or fewer events"
        return TraceFacts(integrity, None, (why,), None, None, None)
    records = in_time_order(held)
    kept = tuple(record for record in records if record.event in keep)
    windows, _ = windows_from_marks(record for record in records if isinstance(record.fields, Mark))
    reasons: tuple[str, ...] = ()
    if flavour is None:
        detection = detect(KernelFacts(model_header=integrity.header))
        flavour, reasons = detection.flavour, detection.reasons
    if flavour is None:
        return TraceFacts(integrity, None, reasons, None, None, kept, windows)
    rules = rules_of(flavour)
    guest_vmpl = _guest_vmpl(integrity.header)
    switches = SwitchFold(rules, guest_vmpl, dict(threads or {}))
    irqs = IrqFold(rules, guest_vmpl, vcpus, dict(threads or {}))
    for record in records:
        switches.take(record)
        irqs.take(record)
    return TraceFacts(integrity, flavour, reasons, switches.result(), irqs.result(), kept, windows)


def _guest_vmpl(header: str) -> int:
    for word in header.split():
        key, _, value = word.partition("=")
        if key == "guest_vmpl" and value.isdigit():
            return int(value)
    return _GUEST_VMPL
