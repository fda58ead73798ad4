"""``vcpus_online``: how many CPUs the guest itself has online."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Verdict

__all__ = ["VcpusOnlineCheck"]


class VcpusOnlineCheck(Check):
    """Expect a number of CPUs online in the guest (/sys/devices/system/cpu/online)."""

    key: ClassVar[str] = "vcpus_online"
    scalar_field: ClassVar[str | None] = "count"
    rests_on: ClassVar[frozenset[str]] = frozenset({"samples"})
    needs_samples: ClassVar[bool] = True
    count: int = Field(ge=1, description="How many must be online.")
    after: str | None = Field(default=None, description="After this step. Left out: when the guest was ready.")

    def steps_named(self) -> tuple[str, ...]:
        """Return the step after which is looked."""
        return () if self.after is None else (self.after,)

    def find(self, evidence: Evidence) -> Verdict:
        """Count in the sample."""
        label = "ready" if self.after is None else f"after {self.after}"
        sample = evidence.facts.sample(label)
        if sample is None:
            return self.unknown(f"the guest was never asked for its CPUs ({label})")
        cpus = ", ".join(map(str, sample.online))
        return self.found(
            len(sample.online) == self.count, f"{len(sample.online)} online ({cpus}), expected {self.count}"
        )
