"""Turn what a run found into the exit status that scripts rely on."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from harness.checks.base import Status

__all__ = ["BISECT_SKIP", "ExitStatus", "exit_status", "for_bisect"]

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


def exit_status(statuses: Iterable[Status]) -> ExitStatus:
    """Decide from the statuses of all boots: a FAIL stands above an ERROR, that above INCONCLUSIVE."""
    seen = set(statuses)
    for status, code in (
        (Status.FAIL, ExitStatus.FAILED),
        (Status.ERROR, ExitStatus.ERROR),
        (Status.INCONCLUSIVE, ExitStatus.INCONCLUSIVE),
        (Status.PASS, ExitStatus.PASSED),
    ):
        if status in seen:
            return code
    return ExitStatus.NOTHING_RAN


def for_bisect(status: ExitStatus) -> int:
    """Map to what ``git bisect run`` understands: good, bad, or skip for all that says nothing about the commit."""
    return {ExitStatus.PASSED: 0, ExitStatus.FAILED: 1}.get(status, BISECT_SKIP)
