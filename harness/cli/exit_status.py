"""Name the exit statuses that scripts rely on; imports nothing, for every command starts with it."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["BISECT_SKIP", "ExitStatus", "for_bisect"]

# git-bisect(1): 125 skips a commit that cannot be tested; every other status from 1 to 127 is bad.
BISECT_SKIP = 125


class ExitStatus(IntEnum):
    """Name the exit statuses; README.md documents them."""

    PASSED = 0
    FAILED = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    ERROR = 4
    NOTHING_RAN = 5
    INTERRUPTED = 130


def for_bisect(status: ExitStatus) -> int:
    """Map to what ``git bisect run`` understands: good, bad, or skip for all that says nothing about the commit."""
    return {ExitStatus.PASSED: 0, ExitStatus.FAILED: 1}.get(status, BISECT_SKIP)
