from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.checks.base import Status
from harness.checks.switch_latency import SwitchLatencyCheck

from .model_trace import Event, call, entry, expect, step, trace

# A tick is a microsecond: a switch takes 3 from its request to its entry.
FAST: list[Event] = [entry(0, 2), *step("calls", [*call(), *call()])]
# One of four requests is 10 us late.
SLOW: list[Event] = [*FAST[:-1], *call()[:3], *[(1, "kvm_eoi", "apicid 1 vector 49")] * 10, *call()[3:], FAST[-1]]


@pytest.mark.parametrize(
    ("events", "fields", "status", "operands"),
    [
        (FAST, {"within": 3e-6}, Status.PASS, ["of 4 within 3.0 us", "longest 3.0 us"]),
        (FAST, {"within": 2.9e-6}, Status.FAIL, ["3.0 us", "expected 2.9 us"]),
        (SLOW, {"within": 3e-6}, Status.PASS, ["of 6", "longest 13.0 us"]),  # the median does not see it
        (SLOW, {"within": 3e-6, "percentile": 0.99}, Status.FAIL, ["99% of 6 within 13.0 us"]),
        (SLOW, {"within": 3e-6, "percentile": 0.99, "from_vmpl": 0}, Status.PASS, ["of 3"]),
        (FAST, {"within": 1.0, "from_vmpl": 1}, Status.INCONCLUSIVE, ["of 0 switches none shows"]),
    ],
)
def test_how_long_switches_take(
    events: list[Event], fields: dict[str, Any], status: Status, operands: list[str]
) -> None:
    expect(SwitchLatencyCheck(**fields), status, *operands, found=trace(events))


@pytest.mark.parametrize("bad", [{}, {"within": "1"}, {"within": "0s"}, {"within": "1s", "from": 4}])
def test_what_is_refused_at_loading(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SwitchLatencyCheck.model_validate(bad)
