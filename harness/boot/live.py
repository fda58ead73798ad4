"""Follow the consoles of a running boot for the people who watch it."""

from __future__ import annotations

import re

from harness.boot.context import Progress, Report
from harness.evidence.startup import MILESTONES
from harness.qemu.command import Stream

__all__ = ["Follower"]

# Enough for the longest line worth showing and the longest milestone.
_KEPT_BYTES = 4096
_NOT_PRINTABLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x20-\x7e]")


class Follower:
    """Report the phase and the last whole line of a boot as its consoles grow."""

    def __init__(self, report: Report) -> None:
        """Take whom to tell."""
        self._report = report
        self._ends: dict[Stream, bytes] = {}
        self._awaited = list(MILESTONES)
        self._phase = "qemu"
        self._line = ""

    def saw(self, stream: Stream, piece: bytes) -> None:
        """Take the next piece of a console."""
        text = self._ends.get(stream, b"") + piece
        for milestone in tuple(self._awaited):
            if milestone.stream == stream and milestone.pattern.search(text):
                self._awaited.remove(milestone)
                self._phase = milestone.name
        if stream is Stream.CONSOLE:
            lines = text.rsplit(b"\n", 2)
            if len(lines) > 1:
                self._line = _NOT_PRINTABLE.sub(
                    "", lines[-2].split(b"\n")[-1][-_KEPT_BYTES:].decode("ascii", "replace")
                )
        self._ends[stream] = text[-_KEPT_BYTES:]
        self._report(Progress(self._phase, self._line.strip()))

    def note(self, phase: str) -> None:
        """Report a phase that no console shows."""
        self._phase = phase
        self._report(Progress(phase, self._line.strip()))
