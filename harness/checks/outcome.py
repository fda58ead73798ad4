"""``outcome``: the boot ended as it should; of every boot it is expected that the guest was ready and stayed so."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Status, Verdict
from harness.classify.outcome import OutcomeKind

__all__ = ["OutcomeCheck"]


class OutcomeCheck(Check):
    """Expect how the boot ends; without this entry, every boot must end as ready."""

    key: ClassVar[str] = "outcome"
    scalar_field: ClassVar[str | None] = "kind"
    kind: OutcomeKind = Field(default=OutcomeKind.READY, strict=False, description="How the boot must end.")
    phase: str | None = Field(default=None, description="The last milestone that it must have reached.")

    def find(self, evidence: Evidence) -> Verdict:
        """Compare with the outcome that was decided."""
        outcome = evidence.outcome
        said = f"{outcome.kind}: {outcome.detail}"
        if outcome.kind is not self.kind:
            status = Status.INCONCLUSIVE if outcome.kind is OutcomeKind.LOST else Status.FAIL
            wanted = "" if self.kind is OutcomeKind.READY else f"; expected {self.kind}"
            return Verdict(self.key, status, said + wanted)
        if self.phase is not None and outcome.phase != self.phase:
            return self.failed(f"{said}; expected it in phase {self.phase}, it was {outcome.phase}")
        return self.passed(said)
