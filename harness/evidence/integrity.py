"""Account for every line of a trace, and name what is missing or damaged in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ENDS", "TRACE_END", "TRACE_LIMIT", "Flaw", "FlawKind", "Integrity", "TimeUnit"]

# Only the VMPL model ends its trace: by the first it says how many lines there were, by the second that it stopped.
TRACE_END = "vmpl_model_trace_end"
TRACE_LIMIT = "vmpl_model_trace_limit"
ENDS = (TRACE_END, TRACE_LIMIT)


class TimeUnit(StrEnum):
    """Say what the timestamps count; only ``s`` and ``us`` are time."""

    #: ``12.345678`` or ``12.345678901``: local, global, mono, boot and their kin.
    SECONDS = "s"
    #: The latency format: microseconds since the trace began.
    MICROSECONDS = "us"
    #: ``counter``, ``x86-tsc``: order, no duration.
    COUNT = "count"
    NONE = "none"


class FlawKind(StrEnum):
    """Name one way in which a trace can be bad."""

    NOISE = "bytes that are no text"
    NOT_AN_EVENT = "a line that is no trace line"
    UNTERMINATED = "the last line has no end"
    UNDECODABLE = "an event without its fields (cut or run together)"
    LOST_EVENTS = "the kernel says that it dropped events"
    SEQUENCE_JUMP = "the sequence number jumps"
    SEQUENCE_REPEATS = "the sequence number repeats or goes back"
    UNNUMBERED = "events without a number in a numbered trace"
    BACKWARDS = "time goes backwards on one CPU"
    OUT_OF_ORDER = "CPUs are interleaved out of order"
    NO_END = "the model's last line is missing"
    LIMIT = "the model stopped at its limit of lines"
    END_DISAGREES = "the model's line count does not match"
    UNFAMILIAR = "fields that no known flavour prints"


# What costs no event: they are told, and a verdict may still rest on the trace.
_HARMLESS = frozenset({FlawKind.OUT_OF_ORDER, FlawKind.UNFAMILIAR})


@dataclass(frozen=True, slots=True)
class Flaw:
    """Point at one kind of damage: how often, and where first.

    ``line`` counts from 1, ``offset_bytes`` from 0 at the start of that line; both None where there is no such place.
    ``lost`` is how many events are known to be missing, None where that is unknown, 0 where none is.
    """

    kind: FlawKind
    count: int
    line: int | None
    offset_bytes: int | None
    sample: str
    lost: int | None = None

    @property
    def loses_evidence(self) -> bool:
        """Tell whether events may be missing, wrong, or in the wrong order within a vCPU."""
        return self.kind not in _HARMLESS

    def __str__(self) -> str:
        """Render as one sentence for a verdict's reason."""
        where = "" if self.line is None else f", first in line {self.line} at byte {self.offset_bytes}"
        lost = f", {self.lost} lost" if self.lost else ""
        return f"{self.kind} ({self.count}x{lost}{where})" + (f": {self.sample}" if self.sample else "")


@dataclass(frozen=True, slots=True)
class Integrity:
    """Say what a trace consisted of: ``lines == comments + events + lost_lines + damaged_lines``.

    ``events`` counts all trace lines with a readable head, wanted or not; ``by_name`` splits them by event name.
    ``decoded`` counts those whose fields were asked for and could be read. ``unknown`` are the names that the
    decoder has no fields for. ``numbered`` and ``ended`` say whether the trace carries sequence numbers and the
    model's last line; ``header`` is the model's first line (``vmpl_model flavour=roy …``), empty for a kernel's trace.
    """

    size_bytes: int
    lines: int
    comments: int
    events: int
    lost_lines: int
    damaged_lines: int
    decoded: int
    by_name: tuple[tuple[str, int], ...]
    unknown: tuple[tuple[str, int], ...]
    flaws: tuple[Flaw, ...]
    unit: TimeUnit
    numbered: bool
    ended: bool
    header: str = ""

    @property
    def complete(self) -> bool:
        """Tell whether nothing is known to be missing; a trace with no event at all is complete and empty."""
        return not any(flaw.loses_evidence for flaw in self.flaws)

    @property
    def reasons(self) -> tuple[str, ...]:
        """List why the trace is not complete, one sentence each; empty if it is."""
        return tuple(str(flaw) for flaw in self.flaws if flaw.loses_evidence)

    def find(self, kind: FlawKind) -> Flaw | None:
        """Return the flaw of this kind; None if there is none."""
        return next((flaw for flaw in self.flaws if flaw.kind is kind), None)

    def count(self, event: str) -> int:
        """Return how many lines of ``event`` there were, 0 if none."""
        return dict(self.by_name).get(event, 0)
