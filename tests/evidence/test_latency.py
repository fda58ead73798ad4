from __future__ import annotations

import pytest

from harness.evidence.integrity import TimeUnit
from harness.evidence.irq import Basis, Delivery, IrqSource
from harness.evidence.latency import (
    Distribution,
    delivery_latencies_ns,
    distribution,
    measures_time,
    switch_latencies_ns,
)
from harness.evidence.vmpl import Cause, Switch


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([5], Distribution(1, 5, 5, 5, 5, 5, 5.0)),
        ([4, 1, 3, 2], Distribution(4, 1, 2, 4, 4, 4, 2.5)),
        (range(1, 101), Distribution(100, 1, 50, 90, 99, 100, 50.5)),
    ],
)
def test_percentiles_are_durations_that_occurred(samples: list[int], expected: Distribution) -> None:
    assert distribution(samples) == expected


def test_nothing_has_no_distribution() -> None:
    assert distribution([]) is None


def test_only_what_the_trace_shows_is_measured() -> None:
    def switch(requested_at: int | None, entered_at: int | None) -> Switch:
        return Switch(1, 15, 0, 2, 0, Cause.GUEST_REQUEST, False, requested_at, entered_at)

    assert switch_latencies_ns([switch(10, 17), switch(None, 17), switch(10, None)]) == (7,)

    def delivery(accepted_at: int | None) -> Delivery:
        return Delivery(1, 20, 0, 49, IrqSource.MSI, 2, Basis.INFERRED, accepted_at, 0, None)

    assert delivery_latencies_ns([delivery(12), delivery(None), delivery(21)]) == (8, 0)


def test_a_counter_is_no_time() -> None:
    assert [unit for unit in TimeUnit if measures_time(unit)] == [TimeUnit.SECONDS, TimeUnit.MICROSECONDS]
