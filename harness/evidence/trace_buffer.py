"""Tell from a ring buffer's own figures whether a trace is whole, and which buffer would have made it so.

Sources: Linux kernel/trace/trace.c tracing_stats_read() for ``per_cpu/cpuN/stats``, kernel/trace/trace_events_hist.c
for ``hist``. An overrun is an event that was overwritten before it was read; a commit overrun or a dropped event never
came into the buffer. With a reader at work all three mean that it was slower than the events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["CpuBuffer", "EventCount", "advise_buffer", "parse_buffers", "parse_counts"]

# What each event costs beside its fields: a header of 4 bytes, an array's length of 4, and now and then a time of 8.
_EVENT_HEAD_BYTES = 16
# Of each page of 4096 bytes, its own header takes 16.
_PAGE_SHARE = 4096 / 4080
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class CpuBuffer:
    """Hold one CPU's figures at the end of a trace, in events; ``unread`` stayed behind in the buffer."""

    cpu: int
    unread: int
    overrun: int
    commit_overrun: int
    dropped: int
    read: int

    @property
    def lost(self) -> int:
        """Return how many events are missing; where the kernel counts one loss twice, more than that."""
        return self.overrun + self.commit_overrun + self.dropped

    @property
    def written(self) -> int:
        """Return how many events there were at most."""
        return self.unread + self.read + self.lost


@dataclass(frozen=True, slots=True)
class EventCount:
    """Say how often an event happened, as counted in the kernel, by the thread that hit it.

    ``dropped`` is how many the histogram could not take; only 0 makes the count exact.
    """

    event: str
    by_thread: tuple[tuple[int, int], ...]
    dropped: int

    @property
    def total(self) -> int:
        """Return the count over all threads."""
        return sum(count for _, count in self.by_thread)


_STAT = re.compile(r"^(entries|overrun|commit overrun|dropped events|read events): (\d+)$", re.MULTILINE)
_CPU = re.compile(r"^cpu: (\d+)$", re.MULTILINE)
_HIST = re.compile(r"^hist: (?:\w+:)?(\w+)$", re.MULTILINE)
_ROW = re.compile(r"^\{ common_pid:\s*(?:\S[^\n]{0,40}?\[\s*)?(\d+)\]? *\} hitcount:\s*(\d+)", re.MULTILINE)
_DROPPED = re.compile(r"^\s*Dropped: (\d+)", re.MULTILINE)


def parse_buffers(text: str) -> tuple[CpuBuffer, ...]:
    """Read what the hold script prints of ``per_cpu/*/stats``: ``cpu: N`` and the file, CPU by CPU.

    A CPU without all five figures is left out, so that the caller notices that it is missing.
    """
    buffers = []
    for cpu, body in _split(_CPU, text):
        figures = {name: int(value) for name, value in _STAT.findall(body)}
        if len(figures) == 5:
            buffers.append(
                CpuBuffer(
                    int(cpu),
                    figures["entries"],
                    figures["overrun"],
                    figures["commit overrun"],
                    figures["dropped events"],
                    figures["read events"],
                )
            )
    return tuple(sorted(buffers, key=lambda buffer: buffer.cpu))


def parse_counts(text: str) -> tuple[EventCount, ...]:
    """Read what the hold script prints of ``hist`` files with the key ``common_pid``; a cut one is left out."""
    counts = []
    for event, body in _split(_HIST, text):
        dropped = _DROPPED.search(body)
        if dropped is not None:
            rows = tuple((int(thread), int(count)) for thread, count in _ROW.findall(body))
            counts.append(EventCount(event, rows, int(dropped[1])))
    return tuple(counts)


def _split(head: re.Pattern[str], text: str) -> Iterable[tuple[str, str]]:
    parts = head.split(text)
    return zip(parts[1::2], parts[2::2], strict=True)


def advise_buffer(buffers: Iterable[CpuBuffer], record_bytes: Mapping[str, int]) -> int:
    """Return the size in bytes for each CPU that would have held all events of the busiest one, unread.

    ``record_bytes`` are the sizes of the traced events' records; text of variable length is not in them. The size is
    an upper bound: a buffer that is read while it fills needs less. Rounded up to whole MiB.
    """
    largest = max(record_bytes.values(), default=64) + _EVENT_HEAD_BYTES
    most = max((buffer.written for buffer in buffers), default=0)
    return max(1, -(-int(most * largest * _PAGE_SHARE) // _MIB)) * _MIB
