"""The distance of two clocks, on one machine, where it is known."""

import asyncio

import pytest

from harness.clock import Deadline
from harness.host.clock_offset import ClockOffset, measure_offset, parse_time
from harness.host.local import LocalHost
from harness.host.protocol import HostKind


class Pretended(LocalHost):
    """Be this machine as if it were another one."""

    kind = HostKind.SSH


def test_this_machine_has_our_clock() -> None:
    assert asyncio.run(measure_offset(LocalHost(), Deadline.after(5))) == ClockOffset(0.0, 0.0)


def test_the_measured_offset_is_true_within_what_it_says() -> None:
    found = asyncio.run(measure_offset(Pretended(), Deadline.after(20)))
    assert found.offset_s is not None and found.uncertainty_s is not None
    # /proc/uptime may also count time that the machine was suspended; here there was none.
    assert abs(found.offset_s) <= found.uncertainty_s + 0.02
    assert 0 < found.uncertainty_s < 5


@pytest.mark.parametrize(
    ("said", "time"),
    [
        (b"12345678901\n", (12.345678901, 0.0)),
        (b"12.34\n", (12.34, 0.01)),
        (b"\n", (None, 0.0)),
        (b"sh:\n", (None, 0.0)),
    ],
)
def test_both_answers_are_read(said: bytes, time: tuple[float | None, float]) -> None:
    assert parse_time(said) == time


def test_no_answer_is_no_offset() -> None:
    assert asyncio.run(measure_offset(Pretended(), Deadline.after(-1))) == ClockOffset(None, None)
