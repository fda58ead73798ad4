from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from harness import clock
from harness.clock import Deadline, monotonic_s, poll, settle, utc_now


class Hand:
    """A clock that only moves by hand, and by the sleeps of the code under test."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    async def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now_s += duration_s


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr(clock, "monotonic_s", lambda: hand.now_s)
    monkeypatch.setattr("harness.clock.asyncio.sleep", hand.sleep)
    return hand


def test_the_clock_is_the_one_that_traces_share() -> None:
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    now = monotonic_s()
    assert before <= now <= time.clock_gettime(time.CLOCK_MONOTONIC)


def test_the_wall_clock_knows_its_zone() -> None:
    offset = utc_now().utcoffset()
    assert offset is not None
    assert not offset


def test_a_deadline_runs_out_and_stays_so(hand: Hand) -> None:
    deadline = Deadline.after(5.0)
    assert (deadline.at_s, deadline.remaining_s, deadline.expired) == (1005.0, 5.0, False)
    hand.now_s += 4.0
    assert (deadline.remaining_s, deadline.expired) == (1.0, False)
    for _ in range(2):
        hand.now_s += 1.0
        assert (deadline.remaining_s, deadline.expired) == (0.0, True)


@pytest.mark.parametrize(
    ("make", "at_s"),
    [
        (lambda outer: outer.within(2.0), 1002.0),
        (lambda outer: outer.within(20.0), 1010.0),  # never later than the one it was given
        (lambda outer: outer.within(None), 1010.0),
        (lambda outer: outer.within(0.0), 1000.0),
        (lambda outer: outer.earlier(3.0), 1007.0),
        (lambda outer: outer.earlier(30.0), 980.0),
        (lambda outer: outer.earlier(3.0).within(8.0), 1007.0),
    ],
)
def test_a_deadline_is_only_made_earlier(hand: Hand, make: Callable[[Deadline], Deadline], at_s: float) -> None:
    assert make(Deadline.after(10.0)).at_s == at_s


def test_a_limit_ends_what_never_ends() -> None:
    async def wait_for_ever() -> None:
        async with Deadline.after(0.01).limit():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(wait_for_ever())


def test_a_limit_that_has_passed_lets_nothing_wait() -> None:
    async def wait() -> str:
        async with Deadline(monotonic_s() - 1.0).limit():
            await asyncio.sleep(3600)
        return "waited"

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_a_limit_leaves_alone_what_is_in_time_and_what_fails_by_itself() -> None:
    async def body(error: Exception | None) -> str:
        async with Deadline.after(3600).limit():
            await asyncio.sleep(0)
            if error is not None:
                raise error
        return "done"

    assert asyncio.run(body(None)) == "done"
    with pytest.raises(ValueError, match="mine"):
        asyncio.run(body(ValueError("mine")))


def _poll(deadline: Deadline, every_s: float) -> list[int]:
    async def collect() -> list[int]:
        return [attempt async for attempt in poll(deadline, every_s)]

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("duration_s", "slept"),
    [
        (1.0, [0.25, 0.25, 0.25, 0.25]),
        (0.625, [0.25, 0.25, 0.125]),  # the last look is at the deadline, not behind it
        (0.0, []),  # one look, however late it is
    ],
)
def test_polling_looks_until_the_deadline_and_once_at_it(hand: Hand, duration_s: float, slept: list[float]) -> None:
    assert _poll(Deadline.after(duration_s), 0.25) == list(range(len(slept) + 1))
    assert hand.slept == slept


def test_polling_sees_how_long_the_look_itself_took(hand: Hand) -> None:
    async def collect() -> int:
        looks = 0
        async for _ in poll(Deadline.after(1.0), 0.25):
            looks += 1
            hand.now_s += 0.5
        return looks

    assert asyncio.run(collect()) == 2


def test_settling_waits(hand: Hand) -> None:
    asyncio.run(settle(0.02))
    assert hand.slept == [0.02]
