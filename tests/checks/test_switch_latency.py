from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import expect
from sample_trace import Event, ask_up, call, entry, facts, start, text_of, within

from harness.checks.base import Status
from harness.checks.switch_latency import SwitchLatencyCheck
from harness.evidence.flavour import Flavour
from harness.evidence.trace import read_trace

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def _slow(pauses: int) -> list[Event]:
    # A call whose way down takes so many microseconds more.
    asked, answered, switched, entered, *up = call(0)
    return [asked, answered, *[entry(1)] * pauses, switched, entered, *up]


# Ten calls: the way down takes 3 us in nine of them, and 103 us in one.
TRACE = facts([*start(0), *within("calls", [event for n in range(10) for event in _slow(100 if n == 5 else 0)])])


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        ({"from": 2, "to": 0, "within": 3.1e-6}, PASS, "50% of 10 within 3.0 us (median 3.0 us, longest 103.0 us)"),
        ({"from": 2, "to": 0, "within": 2.9e-6}, FAIL, "within 3.0 us"),
        ({"from": 2, "to": 0, "within": 3.1e-6, "percentile": 0.99}, FAIL, "99% of 10 within 103.0 us"),
        ({"from": 2, "to": 0, "within": 103.1e-6, "percentile": 1.0}, PASS, "103.0 us"),
        ({"from": 2, "to": 0, "within": 3.1e-6, "percentile": 0.8}, PASS, "80% of 10 within 3.0 us"),
        ({"from": 0, "to": 2, "within": 3.1e-6, "during": "calls"}, PASS, "50% of 10"),
        ({"within": "1s", "from": 1}, INCONCLUSIVE, "of 0 switches none"),
    ],
)
def test_the_percentile_is_compared(keys: dict[str, Any], status: Status, operand: str) -> None:
    expect(SwitchLatencyCheck.model_validate(keys), status, operand, trace=TRACE)


def test_a_flavour_that_prints_no_entry_shows_no_latency() -> None:
    down, answered = call(0)[:2]
    trace = facts([*ask_up(0), entry(0, None), down, entry(0, None), *ask_up(0), answered, entry(0, None)], "planes-v1")
    expect(SwitchLatencyCheck(within=1.0), INCONCLUSIVE, "none shows both its request and its entry", trace=trace)


def test_a_clock_that_is_no_time_decides_nothing() -> None:
    lines = text_of([*start(0), *call(0)], end=False).decode().splitlines()[1:]
    counted = [
        f"{line.partition('.... ')[0]}.... {number}: {line.partition(': ')[2]}" for number, line in enumerate(lines)
    ]
    text = "\n".join(line.rpartition(" seq=")[0] for line in counted) + "\n"
    trace = read_trace([text.encode()], 2, Flavour.ROY)
    assert trace.switches is not None and len(trace.switches.switches) == 3
    expect(SwitchLatencyCheck(within=1.0), INCONCLUSIVE, "the trace's clock is no time (count)", trace=trace)


def test_a_latency_without_a_limit_is_refused() -> None:
    with pytest.raises(ValidationError):
        SwitchLatencyCheck.model_validate({"from": 2})
