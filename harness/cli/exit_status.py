"""Name the exit statuses that scripts rely on; imports nothing, for every command starts with it."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["BISECT_ABORT", "BISECT_SKIP", "ExitStatus", "for_bisect"]

# git-bisect(1): 125 skips a commit that cannot be tested; every other status from 1 to 127 is bad; 128 and above end
# the bisection where it is.
BISECT_SKIP = 125
BISECT_ABORT = 128


class ExitStatus(IntEnum):
    """Name the exit statuses; README.md documents them."""

    PASSED = 0
    FAILED = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    ERROR = 4
    NOTHING_RAN = 5
    INTERRUPTED = 130


def for_bisect(status: int) -> int:
    """Map to what ``git bisect run`` understands: good, bad, skip the commit, or end the bisection.

    A command line that is wrong is wrong for every commit, so that it ends the bisection, as Ctrl-C does; what else
    says nothing about the commit skips it.
    """
    ends = {
        ExitStatus.PASSED: 0,
        ExitStatus.FAILED: 1,
        ExitStatus.BAD_INPUT: BISECT_ABORT,
        ExitStatus.INTERRUPTED: int(ExitStatus.INTERRUPTED),
    }
    return next((code for known, code in ends.items() if known == status), BISECT_SKIP)
