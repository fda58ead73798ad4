"""Find the milestones of start-up in what the consoles said, and how long each phase took.

A milestone is a text that exactly one layer prints at one point of its start. The table is ordered as a start runs:
the SVSM at VMPL0, firmware, kernel, init, ready. Which of them a boot has depends on what it boots; a scenario names
those that it expects.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.evidence.records import Chunk, ConsoleText, Mark

__all__ = ["MILESTONES", "SSH", "Milestone", "Phase", "find_marks", "phases"]


@dataclass(frozen=True, slots=True)
class Milestone:
    """Name a point of start-up, the console that shows it, and the text that does.

    ``pattern`` matches inside one line. ``stream`` is the console's name in :mod:`harness.qemu.command`.
    """

    name: str
    stream: str
    pattern: re.Pattern[bytes]


def _milestone(name: str, stream: str, pattern: bytes) -> Milestone:
    return Milestone(name, stream, re.compile(pattern, re.MULTILINE))


# SSH has no text of its own: the harness marks it when the guest first answered.
SSH = "ssh"

# COCONUT-SVSM puts an optional "[task] " before each message (kernel/src/log_buffer.rs), so patterns do not anchor.
MILESTONES: tuple[Milestone, ...] = (
    # Until May 2026 a second stage came before the SVSM itself.
    _milestone("svsm-stage2", "console", rb"Stage 2 Loader"),
    _milestone("svsm", "console", rb"COCONUT Secure Virtual Machine Service Module(?! \(SVSM\) Stage 2)"),
    _milestone("svsm-memory", "console", rb"Guest Memory Regions:"),
    _milestone("svsm-smp", "console", rb"CPU \d+ is online|Brought \d+ AP\(s\) online"),
    _milestone("svsm-firmware", "console", rb"FW Meta Data"),
    _milestone("svsm-vtpm", "console", rb"VTPM: TPM 2\.0 Reference Implementation initialized"),
    _milestone("svsm-launch", "console", rb"Launching Firmware"),
    _milestone("svsm-requests", "console", rb"Launching request-processing task on CPU"),
    # guest_payloads/vmpl_model/guest_boot.c: the first word of the guest's VMPL.
    _milestone("guest", "console", rb"svsm-harness: guest started\b"),
    # SeaBIOS src/bootsplash.c and qboot say their name on the debug console before anything else.
    _milestone("firmware", "firmware", rb"SeaBIOS \(version|qboot"),
    # init/main.c start_kernel() prints linux_banner.
    _milestone("kernel", "console", rb"Linux version \d"),
    # guest_payloads/linux/init prints these three.
    _milestone("init", "console", rb"svsm-harness: init\b"),
    _milestone("network", "console", rb"svsm-harness: network\b"),
    _milestone("ready", "console", rb"svsm-harness: ready\b"),
)


@dataclass(frozen=True, slots=True)
class Phase:
    """Name the time between two milestones by the later one."""

    name: str
    begin_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Return how long it took, in seconds."""
        return self.end_s - self.begin_s


def time_of(offset: int, chunks: Sequence[Chunk]) -> float | None:
    """Return when the byte at ``offset`` had arrived; None if no chunk reaches so far."""
    index = bisect_left(chunks, offset + 1, key=lambda chunk: chunk.end_offset)
    return chunks[index].at_s if index < len(chunks) else None


def find_marks(stream: str, text: ConsoleText, chunks: Sequence[Chunk]) -> tuple[Mark, ...]:
    """Return the first sight of each milestone that ``text`` of the console ``stream`` has, in order of time."""
    found = []
    for milestone in MILESTONES:
        if milestone.stream == stream and (match := milestone.pattern.search(text)):
            at_s = time_of(match.start(), chunks)
            if at_s is not None:
                found.append(Mark(milestone.name, at_s))
    return tuple(sorted(found, key=lambda mark: mark.at_s))


def phases(marks: Iterable[Mark]) -> tuple[Phase, ...]:
    """Return the phases between the marks, in order of time; the first begins when QEMU was started."""
    result = []
    begin_s = 0.0
    for mark in sorted(marks, key=lambda mark: mark.at_s):
        result.append(Phase(mark.milestone, begin_s, mark.at_s))
        begin_s = mark.at_s
    return tuple(result)
