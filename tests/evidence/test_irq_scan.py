"""What is a scan of routes, and what is an interrupt that got lost."""

from __future__ import annotations

import pytest

from harness.evidence.irq_scan import IOAPIC_PINS, RouteScan


@pytest.mark.parametrize(
    ("raised", "scanned"), [(0, 0), (1, 0), (IOAPIC_PINS - 1, 0), (IOAPIC_PINS, 24), (IOAPIC_PINS + 2, 24), (48, 48)]
)
def test_only_whole_scans_count_and_what_came_before_stays(raised: int, scanned: int) -> None:
    scan = RouteScan()
    for position in range(raised):
        scan.raised(position)
    assert scan.entered() == list(range(raised - scanned, raised))
    assert scan.entered() == []


def test_what_was_accepted_is_no_scan() -> None:
    scan = RouteScan()
    for position in range(IOAPIC_PINS):
        scan.raised(position)
    scan.accepted(IOAPIC_PINS - 1)
    assert scan.entered() == []
