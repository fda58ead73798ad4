"""What the host's kernel said while the guest ran."""

from __future__ import annotations

from typing import Any

import pytest
from sample_facts import expect, lost

from checks.host_facts import host
from harness.checks.base import Status
from harness.checks.host_log import HostLogCheck
from harness.evidence.host_log import LogDelta

LINES = ("[ 7.0] kvm [9]: vcpu0, guest rIP: 0x0 vmgexit: exit code 0x80000018 is not valid", "[ 8.0] br0: up")
SAME = LogDelta(LINES, 1 << 9, 1 << 9)
MORE = LogDelta(LINES, 0, 1 << 12)


@pytest.mark.parametrize(
    ("keys", "log", "status", "operand"),
    [
        ({}, SAME, Status.PASS, "2 new lines of host lab1, taint unchanged"),
        ({"contains": ("vmgexit: .* not valid$",)}, SAME, Status.PASS, ""),
        ({"contains": ("termination",)}, SAME, Status.FAIL, "no match of 'termination' in 2 new lines"),
        ({"lacks": ("^.*vmgexit",)}, SAME, Status.FAIL, "exit code 0x80000018"),
        ({"lacks": ("oops",)}, SAME, Status.PASS, ""),
        ({}, MORE, Status.FAIL, "grew by O"),
        ({"taint_may_change": True}, MORE, Status.PASS, "taint grew by O"),
    ],
)
def test_lines_and_taint(keys: dict[str, Any], log: LogDelta, status: Status, operand: str) -> None:
    expect(HostLogCheck(**keys), status, operand, host=host(log=log))


def test_what_was_not_read() -> None:
    expect(HostLogCheck(), Status.UNSUPPORTED, "under KVM only")
    expect(HostLogCheck(), Status.INCONCLUSIVE, host=host(), losses=lost("host_log"))
