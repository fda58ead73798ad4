"""``switch_latency``: how long from the request of a VMPL until it runs; only where the trace's clock is a time."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.checks.base import Evidence, Verdict
from harness.checks.trace_check import DirectedCheck
from harness.evidence.latency import measures_time, switch_latencies_ns
from harness.evidence.trace import TraceFacts
from harness.scenario.quantities import DurationS, Rate
from harness.units import format_duration, format_rate

__all__ = ["SwitchLatencyCheck"]


class SwitchLatencyCheck(DirectedCheck):
    """Expect how long switches take, as a percentile."""

    key: ClassVar[str] = "switch_latency"
    percentile: Rate = Field(default=0.5, description="Of all switches, such as 50% or 99%.")
    within: DurationS = Field(description="This share of them must take no longer than this.")

    def find_in(self, trace: TraceFacts, evidence: Evidence) -> Verdict:
        """Sort the durations and take the percentile."""
        if not measures_time(trace.integrity.unit):
            return self.unknown(f"the trace's clock is no time ({trace.integrity.unit})")
        assert trace.switches is not None  # TraceCheck.find
        selected = trace.switches.select(from_vmpl=self.from_vmpl, to_vmpl=self.to_vmpl, step=self.during)
        took_s = sorted(took_ns / 1e9 for took_ns in switch_latencies_ns(selected))
        if not took_s:
            return self.unknown(f"of {len(selected)} switches none shows both its request and its entry")
        at = took_s[min(len(took_s) - 1, int(self.percentile * len(took_s)))]
        said = (
            f"{format_rate(self.percentile)} of {len(took_s)} within {_short(at)} "
            f"(median {_short(took_s[len(took_s) // 2])}, longest {_short(took_s[-1])})"
        )
        return self.found(at <= self.within, f"{said}, expected {_short(self.within)}")


def _short(duration_s: float) -> str:
    return f"{duration_s * 1e6:.1f} us" if duration_s < 0.001 else format_duration(duration_s)
