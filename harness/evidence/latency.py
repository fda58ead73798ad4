"""Sum up how long switches and deliveries took, where the trace clock is time at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.evidence.integrity import TimeUnit
from harness.evidence.irq import Delivery
from harness.evidence.vmpl import Switch

__all__ = ["Distribution", "delivery_latencies_ns", "distribution", "measures_time", "switch_latencies_ns"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Hold the spread of durations in nanoseconds. The percentiles are durations that occurred (nearest rank)."""

    count: int
    least_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    most_ns: int
    mean_ns: float


def measures_time(unit: TimeUnit) -> bool:
    """Tell whether differences of timestamps are durations; x86-tsc and counter only give an order."""
    return unit in (TimeUnit.SECONDS, TimeUnit.MICROSECONDS)


def distribution(durations_ns: Iterable[int]) -> Distribution | None:
    """Sum up durations; None if there is none."""
    ordered = sorted(durations_ns)
    if not ordered:
        return None

    def rank(percent: int) -> int:
        return ordered[-(-percent * len(ordered) // 100) - 1]

    mean_ns = sum(ordered) / len(ordered)
    return Distribution(len(ordered), ordered[0], rank(50), rank(90), rank(99), ordered[-1], mean_ns)


def switch_latencies_ns(switches: Iterable[Switch]) -> tuple[int, ...]:
    """Return request to entry of the target VMPL, for each switch whose trace shows both."""
    return tuple(
        switch.entered_at - switch.requested_at
        for switch in switches
        if switch.entered_at is not None and switch.requested_at is not None
    )


def delivery_latencies_ns(deliveries: Iterable[Delivery]) -> tuple[int, ...]:
    """Return acceptance by the local APIC to injection, for each delivery that an acceptance explains.

    The time that an interrupt waits for its VMPL to run is part of it. Below the clock's resolution it is 0.
    """
    return tuple(
        max(0, delivery.at - delivery.accepted_at) for delivery in deliveries if delivery.accepted_at is not None
    )
