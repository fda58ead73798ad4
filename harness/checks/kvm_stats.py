"""``kvm_stats``: by how much one of KVM's own statistics grew, over a step or between two phases of the boot.

Names are KVM's (Linux Documentation/virt/kvm/api.rst KVM_GET_STATS_FD) and no stable interface. Under the series with a
kvm_vcpu for each VMPL those of a vCPU are the sum over its VMPLs [INF].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.host import KvmSample
from harness.scenario.suggest import did_you_mean

__all__ = ["KvmStatsCheck"]


class KvmStatsCheck(Check):
    """Expect by how much a statistic of KVM grew."""

    key: ClassVar[str] = "kvm_stats"
    rests_on: ClassVar[frozenset[str]] = frozenset({"kvm_stats"})
    stat: str = Field(
        pattern=r"^[a-z0-9_]+$",
        description="A statistic of the vCPUs (added up), or else of the VM.",
        examples=["exits", "irq_injections", "hypercalls", "halt_exits"],
    )
    during: str | None = Field(default=None, description="During this step. Left out: between from and to.")
    from_label: str = Field(
        default="start",
        validation_alias="from",
        serialization_alias="from",
        description="start (before the first instruction), ready, before STEP or after STEP.",
    )
    to_label: str = Field(
        default="end",
        validation_alias="to",
        serialization_alias="to",
        description="ready, before STEP, after STEP or end.",
    )
    vcpu: int | None = Field(default=None, ge=0, description="Only of this vCPU. Left out: of all, added up.")
    count: int | None = Field(default=None, ge=0, description="It grows by exactly this.")
    at_least: int | None = Field(default=None, ge=0, description="It grows by this or more.")
    at_most: int | None = Field(default=None, ge=0, description="It grows by this or less.")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if (self.count, self.at_least, self.at_most) == (None, None, None):
            raise ValueError("kvm_stats needs count, at_least or at_most: as it stands, any growth would pass")
        if self.during is not None and (self.from_label, self.to_label) != ("start", "end"):
            raise ValueError("during says from where to where; leave out from and to, or during")
        return self

    def steps_named(self) -> tuple[str, ...]:
        """Return the step during which is measured."""
        return () if self.during is None else (self.during,)

    def find(self, evidence: Evidence) -> Verdict:
        """Subtract the two readings and compare."""
        facts = evidence.facts
        if not facts.kvm_samples and facts.host is None:
            return self.unsupported("KVM's statistics exist under KVM only, and this guest ran without")
        first, last = self.from_label, self.to_label
        if self.during is not None:
            first, last = f"before {self.during}", f"after {self.during}"
        before, after = facts.kvm_sample(first), facts.kvm_sample(last)
        if before is None or after is None:
            taken = ", ".join(sample.label for sample in facts.kvm_samples) or "never"
            return self.unknown(f"KVM's statistics were not read at {last if before else first}; they were: {taken}")
        values = self._value(before), self._value(after)
        if values[0] is None or values[1] is None:
            names = sorted({name for stats in (*after.vcpus.values(), after.vm) for name in stats})
            return self.unsupported(f"this KVM has no statistic {self.stat!r}{did_you_mean(self.stat, names)}")
        grown = values[1] - values[0]
        of = "" if self.vcpu is None else f" of vCPU {self.vcpu}"
        said = f"{self.stat}{of} from {first} to {last}: {grown} ({values[0]} to {values[1]})"
        if self.count is not None and grown != self.count:
            return self.failed(f"{said}, expected {self.count}")
        if self.at_least is not None and grown < self.at_least:
            return self.failed(f"{said}, expected at least {self.at_least}")
        if self.at_most is not None and grown > self.at_most:
            return self.failed(f"{said}, expected at most {self.at_most}")
        return self.passed(said)

    def _value(self, sample: KvmSample) -> int | None:
        chosen: list[Mapping[str, int]] = [
            stats for vcpu, stats in sample.vcpus.items() if self.vcpu in (None, vcpu) and self.stat in stats
        ]
        if chosen:
            return sum(stats[self.stat] for stats in chosen)
        return sample.vm.get(self.stat) if self.vcpu is None else None
