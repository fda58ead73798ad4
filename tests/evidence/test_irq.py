from __future__ import annotations

import pytest

from harness.evidence.irq import Conservation, IrqSource, Raise


def raised(expected: int | None, accepted_by: tuple[int, ...], **other: bool) -> Raise:
    flags = {"masked": False, "coalesced": False, **other}
    return Raise(1, 1, None, IrqSource.MSI, None, 49, "Fixed", 0, expected, accepted_by, **flags)


@pytest.mark.parametrize(
    ("event", "lost", "duplicated", "misrouted"),
    [
        (raised(1, (0,)), 0, 0, False),
        (raised(1, ()), 1, 0, False),
        (raised(1, (0, 0)), 0, 1, False),
        (raised(1, (1,)), 0, 0, True),
        (raised(None, ()), 0, 0, False),
        (raised(1, (), masked=True), 0, 0, False),
        (raised(1, (), coalesced=True), 0, 0, False),
    ],
)
def test_what_one_raise_tells(event: Raise, lost: int, duplicated: int, misrouted: bool) -> None:
    assert (event.lost, event.duplicated, event.misrouted) == (lost, duplicated, misrouted)


NUMBERS = {
    "raised": 3, "expected": 3, "masked": 0, "coalesced": 0, "accepted": 3, "local": 0, "delivered": 1, "merged": 1,
    "pending": 1, "untraced": 0, "unexplained": 0, "ended": 1, "lost": 0, "duplicated": 0, "misrouted": 0,
}  # fmt: skip


BREAKING = ["pending", "delivered", "merged", "untraced", "lost", "duplicated", "misrouted", "unexplained"]


@pytest.mark.parametrize("name", BREAKING)
def test_each_number_can_break_the_sum(name: str) -> None:
    assert Conservation(**NUMBERS).holds
    assert not Conservation(**{**NUMBERS, name: NUMBERS[name] + 1}).holds
