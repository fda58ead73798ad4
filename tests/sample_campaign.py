"""Lines of campaigns that nobody booted."""

from __future__ import annotations

from harness.checks.base import Status, Verdict
from harness.classify.outcome import Outcome, OutcomeKind
from harness.results.record import BootIdentity, BootLine

__all__ = ["boot_line", "lines_of"]


def boot_line(
    turn: int | None, status: Status = Status.PASS, signature: str = "guest-panic: x", check: str = "outcome"
) -> BootLine:
    """Make the line of a boot that passed, failed with ``signature``, or told nothing."""
    bad = status is Status.FAIL
    kind = OutcomeKind.GUEST_PANIC if bad else OutcomeKind.READY
    return BootLine(
        identity=BootIdentity("s", f"s[v={(turn or 0) % 2}]", "s", "s.yaml", "model", turn),
        folder=f"boots/{turn or 0:04d}",
        status=status,
        reason=f"{check}: because",
        verdicts=(Verdict(check, status, "because"),),
        outcome=Outcome(kind, signature if bad else "ready", "detail", "ready"),
        duration_s=1.0,
    )


def lines_of(pattern: str) -> list[BootLine]:
    """Make the lines of a campaign: ``.`` passed, ``F`` failed, ``?`` told nothing, ``E`` is an ERROR."""
    statuses = {".": Status.PASS, "F": Status.FAIL, "?": Status.INCONCLUSIVE, "E": Status.ERROR}
    return [boot_line(turn, statuses[letter]) for turn, letter in enumerate(pattern, start=1)]
