"""Find where two traces first differ, vCPU by vCPU.

Two runs never have equal timestamps, threads or addresses, and their vCPUs interleave differently. So each vCPU
thread's events are compared in their own order, without what differs by chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.evidence.ftrace import Record
from harness.evidence.trace_events import (
    Fields,
    KvmEntry,
    Mark,
    MsrProtocolEnter,
    MsrProtocolExit,
    RawText,
    TraceEnd,
    Vmgexit,
)

__all__ = ["CONTEXT_EVENTS", "Comparison", "Divergence", "Kind", "Place", "compare_traces", "normalise"]

#: Events shown before and after a divergence.
CONTEXT_EVENTS = 5
# How far the other trace is searched for the event that one of them has next.
_LOOK_AHEAD = 64

# Addresses, times, and what a host decides: fields that differ between two good runs.
_BY_CHANCE = frozenset(
    {"rip", "gpa", "pfn", "address", "info1", "info2", "requests", "intr_info", "error_code", "time_ns", "new_ns",
     "old_ns", "pi_desc_addr", "polling", "how", "value", "note"}
)  # fmt: skip
_RUN_VMPL = 0x80000018
_AP_CREATION = 0x80000013
_MSR_RUN_VMPL = frozenset({0x016, 0x017})


class Kind(StrEnum):
    """Say how two sequences differ at a place."""

    CHANGED = "another event"
    ONLY_IN_A = "only in A"
    ONLY_IN_B = "only in B"
    A_ENDED = "A ends here"
    B_ENDED = "B ends here"


@dataclass(frozen=True, slots=True)
class Place:
    """Point at an event of one trace. ``offset`` is its time since that trace's first event."""

    line: int
    at: int
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """Hold the first difference of one vCPU's events.

    ``index`` counts the vCPU's compared events from 0. ``a`` and ``b`` are the events that differ, None where that
    trace has ended. ``before`` is what both had last, ``after_a`` and ``after_b`` what follows.
    """

    vcpu: int
    index: int
    kind: Kind
    a: Place | None
    b: Place | None
    before: tuple[str, ...]
    after_a: tuple[str, ...]
    after_b: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hold the divergences of all vCPUs, the earliest first; none: equal as far as was compared.

    ``compared`` counts events of vCPU threads in A and B. ``skipped`` counts those of other threads, whose order means
    nothing. ``only_a`` and ``only_b`` are vCPUs that one trace does not have.
    """

    divergences: tuple[Divergence, ...]
    compared: tuple[int, int]
    skipped: tuple[int, int]
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]

    @property
    def first(self) -> Divergence | None:
        """Return the earliest divergence; None if there is none."""
        return self.divergences[0] if self.divergences else None

    @property
    def equal(self) -> bool:
        """Tell whether both traces have the same vCPUs with the same events."""
        return not (self.divergences or self.only_a or self.only_b)


def normalise(event: str, fields: Fields) -> str:
    """Render an event without what differs between two equal runs: times, threads, addresses."""
    if isinstance(fields, Vmgexit):
        keep = fields.exit_reason in (_RUN_VMPL, _AP_CREATION)
        info = f", exit_info1 {fields.exit_info1:x}" if keep else ""
        return f"{event}: vcpu {fields.vcpu}, exit_reason {fields.exit_reason:x}{info}"
    if isinstance(fields, (MsrProtocolEnter, MsrProtocolExit)):
        # Other requests carry the address of a GHCB in the upper bits.
        value = fields.ghcb_gpa if fields.ghcb_gpa & 0xFFF in _MSR_RUN_VMPL else fields.ghcb_gpa & 0xFFF
        return f"{event}: vcpu {fields.vcpu}, ghcb_gpa {value:x}"
    if isinstance(fields, RawText):
        return event
    pairs = [
        f"{name} {value}"
        for name, value in zip(fields._fields, fields, strict=True)
        if name not in _BY_CHANCE and value is not None and value != ()
    ]
    return f"{event}: {', '.join(pairs)}"


_Event = tuple[str, Record]


def _by_vcpu(records: Iterable[Record]) -> tuple[dict[int, list[_Event]], int, int]:
    threads: dict[int, list[_Event]] = {}
    vcpu_of: dict[int, int] = {}
    first_at: int | None = None
    memo: dict[tuple[str, Fields], str] = {}
    for record in records:
        if isinstance(record.fields, TraceEnd):
            continue
        first_at = record.at if first_at is None else min(first_at, record.at)
        if isinstance(record.fields, (KvmEntry, Vmgexit, MsrProtocolEnter)):
            vcpu_of[record.pid] = record.fields.vcpu
        key = (record.event, record.fields)
        text = memo.get(key)
        if text is None:
            text = memo[key] = normalise(record.event, record.fields)
        threads.setdefault(record.pid, []).append((text, record))
    vcpus: dict[int, list[_Event]] = {}
    skipped = 0
    for pid, events in threads.items():
        if pid in vcpu_of:
            vcpus.setdefault(vcpu_of[pid], []).extend(events)
        else:
            # A step's mark tells where both are, whichever thread wrote it; without a vCPU it has no order.
            skipped += sum(not isinstance(record.fields, Mark) for _, record in events)
    return vcpus, skipped, first_at or 0


def compare_traces(a: Iterable[Record], b: Iterable[Record]) -> Comparison:
    """Compare the records of two traces; choose what is compared by the events that were decoded.

    All records are held in memory. Events that only time decides (halts, host interrupts) are best left undecoded.
    """
    vcpus_a, skipped_a, begin_a = _by_vcpu(a)
    vcpus_b, skipped_b, begin_b = _by_vcpu(b)
    found = []
    for vcpu in sorted(vcpus_a.keys() & vcpus_b.keys()):
        divergence = _first_difference(vcpu, vcpus_a[vcpu], vcpus_b[vcpu], begin_a, begin_b)
        if divergence is not None:
            found.append(divergence)
    return Comparison(
        divergences=tuple(sorted(found, key=_offset)),
        compared=(sum(map(len, vcpus_a.values())), sum(map(len, vcpus_b.values()))),
        skipped=(skipped_a, skipped_b),
        only_a=tuple(sorted(vcpus_a.keys() - vcpus_b.keys())),
        only_b=tuple(sorted(vcpus_b.keys() - vcpus_a.keys())),
    )


def _offset(divergence: Divergence) -> int:
    return min(place.offset for place in (divergence.a, divergence.b) if place is not None)


def _first_difference(vcpu: int, a: list[_Event], b: list[_Event], begin_a: int, begin_b: int) -> Divergence | None:
    index = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x[0] != y[0]), min(len(a), len(b)))
    if index == len(a) == len(b):
        return None
    return Divergence(
        vcpu=vcpu,
        index=index,
        kind=_kind(a[index : index + _LOOK_AHEAD], b[index : index + _LOOK_AHEAD]),
        a=_place(a, index, begin_a),
        b=_place(b, index, begin_b),
        before=tuple(text for text, _ in a[max(0, index - CONTEXT_EVENTS) : index]),
        after_a=tuple(text for text, _ in a[index + 1 : index + 1 + CONTEXT_EVENTS]),
        after_b=tuple(text for text, _ in b[index + 1 : index + 1 + CONTEXT_EVENTS]),
    )


# An event that the other trace has a little later was left out there; the nearer one is believed.
def _kind(a: list[_Event], b: list[_Event]) -> Kind:
    if not a:
        return Kind.A_ENDED
    if not b:
        return Kind.B_ENDED
    texts_a, texts_b = [text for text, _ in a], [text for text, _ in b]
    in_b = texts_b.index(texts_a[0]) if texts_a[0] in texts_b else _LOOK_AHEAD
    in_a = texts_a.index(texts_b[0]) if texts_b[0] in texts_a else _LOOK_AHEAD
    # The same event may be named by chance; what follows must fit as well.
    if in_a < in_b and texts_a[in_a : in_a + 2] == texts_b[:2]:
        return Kind.ONLY_IN_A
    if in_b < in_a and texts_b[in_b : in_b + 2] == texts_a[:2]:
        return Kind.ONLY_IN_B
    return Kind.CHANGED


def _place(events: list[_Event], index: int, begin: int) -> Place | None:
    if index >= len(events):
        return None
    text, record = events[index]
    return Place(record.line, record.at, record.at - begin, text)
