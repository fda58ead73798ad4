"""Read the marks that the KVM probe makes in the host's own trace: hypercalls whose arguments spell a step's name.

A bare-metal payload cannot write to the host's ``trace_marker``, but KVM traces every hypercall in the vCPU's thread,
at the very place where the step begins and ends. Source: guest_payloads/kvm_probe/mark.h.
"""

from __future__ import annotations

from harness.evidence.ftrace import Record
from harness.evidence.trace_events import Mark
from harness.evidence.trace_events_host import Hypercall

__all__ = ["MARK_HYPERCALL", "PROBE_MARK", "as_probe_mark"]

#: The number of the hypercall: "mark".
MARK_HYPERCALL = 0x6D61726B
#: The event's name once it is read as what it means, so that it is not counted among the hypercalls.
PROBE_MARK = "kvm_probe_mark"

_EDGES = {"b": "begin", "e": "end"}


def as_probe_mark(record: Record) -> Record:
    """Return the record of a probe's mark as a :class:`~.trace_events.Mark`; every other record as it is.

    A guest may call any number, so what does not spell an edge and a printable name stays a hypercall.
    """
    call = record.fields
    if not isinstance(call, Hypercall) or call.nr != MARK_HYPERCALL:
        return record
    words = (word.to_bytes(8, "little") for word in (call.a0, call.a1, call.a2, call.a3))
    text = b"".join(words).rstrip(b"\0").decode("ascii", "replace")
    edge, step = _EDGES.get(text[:1]), text[1:]
    if edge is None or not step or not step.isprintable() or not step.isascii():
        return record
    return record._replace(event=PROBE_MARK, fields=Mark(step, edge))
