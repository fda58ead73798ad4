"""Read time here and nowhere else.

Everything that is compared is on ``CLOCK_MONOTONIC``, the clock that QEMU's log, the QMP journal, the consoles and
``trace_clock=mono`` can share. Wall-clock time only names things for people.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Deadline", "monotonic_s", "poll", "settle", "utc_now"]


def monotonic_s() -> float:
    """Read CLOCK_MONOTONIC, in seconds."""
    return time.monotonic()


def utc_now() -> datetime:
    """Read the wall clock as an aware UTC time; for names and reports, never for comparing."""
    return datetime.now(UTC)


async def settle(duration_s: float) -> None:
    """Let ``duration_s`` seconds pass because nothing reports the event that is waited for.

    The caller names the reason; where an event exists, wait for the event.
    """
    await asyncio.sleep(duration_s)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Be the one point in time by which a whole chain of calls must be done.

    ``at_s`` is on :func:`monotonic_s`. A callee gets the deadline, or an earlier one made by :meth:`within`;
    it never invents a timeout of its own.
    """

    at_s: float

    @classmethod
    def after(cls, duration_s: float) -> Deadline:
        """Make a deadline ``duration_s`` seconds from now."""
        return cls(monotonic_s() + duration_s)

    @property
    def remaining_s(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self.at_s - monotonic_s())

    @property
    def expired(self) -> bool:
        """Tell whether nothing is left."""
        return self.remaining_s == 0.0

    def within(self, duration_s: float | None) -> Deadline:
        """Make a deadline at most ``duration_s`` from now and not later than this one; None changes nothing."""
        if duration_s is None:
            return self
        return Deadline(min(self.at_s, monotonic_s() + duration_s))

    def earlier(self, margin_s: float) -> Deadline:
        """Make a deadline ``margin_s`` before this one, so that evidence can still be collected."""
        return Deadline(self.at_s - margin_s)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Raise :class:`TimeoutError` in the body once the deadline has passed."""
        async with asyncio.timeout(self.remaining_s):
            yield


async def poll(deadline: Deadline, every_s: float) -> AsyncIterator[int]:
    """Yield 0, 1, 2 … until the deadline, ``every_s`` apart: for states that nothing announces."""
    attempt = 0
    while True:
        yield attempt
        attempt += 1
        if deadline.expired:
            return
        await asyncio.sleep(min(every_s, deadline.remaining_s))
