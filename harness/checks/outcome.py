"""``outcome``: the boot ended as it should; of every boot it is expected that the guest was ready and stayed so."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Status, Verdict
from harness.classify.outcome import OutcomeKind

__all__ = ["OutcomeCheck"]

# Decided by what was seen, ahead of everything else (harness/classify/outcome.py).
_PROVEN = frozenset({OutcomeKind.QEMU_CRASH, OutcomeKind.SVSM_PANIC, OutcomeKind.GUEST_PANIC})


class OutcomeCheck(Check):
    """Expect how the boot ends; without this entry, every boot must end as ready."""

    key: ClassVar[str] = "outcome"
    rests_on: ClassVar[frozenset[str]] = frozenset({"console", "qmp", "perturb"})
    scalar_field: ClassVar[str | None] = "kind"
    kind: OutcomeKind = Field(default=OutcomeKind.READY, strict=False, description="How the boot must end.")
    phase: str | None = Field(default=None, description="The last milestone that it must have reached.")

    def judge(self, evidence: Evidence) -> Verdict:
        """Judge also in spite of a loss, where nothing that was lost could change the answer.

        A cut console can hide a crash or a milestone, a cut journal of QMP the guest's shutdown; a boot that was not
        perturbed as it should have been is another boot. A crash that was found is proven, and so is that a guest did
        not end as ready.
        """
        verdict = self.find(evidence)
        not_ready = self.kind is OutcomeKind.READY and verdict.status is Status.FAIL
        if self.phase is None and (not_ready or evidence.outcome.kind in _PROVEN):
            return verdict
        return super().judge(evidence)

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
