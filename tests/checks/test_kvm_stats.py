"""By how much KVM's statistics grew."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import expect, lost

from checks.host_facts import host, stats
from harness.checks.base import Status
from harness.checks.kvm_stats import KvmStatsCheck

SAMPLES = (
    stats("start", {"pages_4k": 1}, exits=(0, 0)),
    stats("ready", exits=(100, 40)),
    stats("before work", exits=(110, 40)),
    stats("after work", exits=(160, 45)),
    stats("end", {"pages_4k": 9}, exits=(170, 45)),
)


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        ({"count": 215}, Status.PASS, "exits from start to end: 215 (0 to 215)"),
        ({"count": 214}, Status.FAIL, "expected 214"),
        ({"count": 55, "during": "work"}, Status.PASS, "from before work to after work: 55"),
        ({"count": 5, "during": "work", "vcpu": 1}, Status.PASS, "exits of vCPU 1"),
        ({"at_most": 139, "to": "ready"}, Status.FAIL, "140"),
        ({"at_least": 75, "from": "ready"}, Status.PASS, ""),
        ({"at_least": 76, "from": "ready"}, Status.FAIL, ""),
        ({"count": 8, "stat": "pages_4k"}, Status.PASS, "pages_4k from start to end: 8"),
        ({"count": 1, "during": "play"}, Status.INCONCLUSIVE, "not read at before play; they were: start, ready"),
        ({"count": 1, "stat": "exit"}, Status.UNSUPPORTED, "no statistic 'exit'"),
    ],
)
def test_growth(keys: dict[str, Any], status: Status, operand: str) -> None:
    check = KvmStatsCheck(**({"stat": "exits"} | keys))
    expect(check, status, operand, host=host(), kvm_samples=SAMPLES)


def test_without_kvm_and_with_a_loss() -> None:
    expect(KvmStatsCheck(stat="exits", count=1), Status.UNSUPPORTED, "under KVM only")
    expect(KvmStatsCheck(stat="exits", count=215), Status.INCONCLUSIVE, kvm_samples=SAMPLES, losses=lost("kvm_stats"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [({}, "any growth would pass"), ({"count": 1, "during": "x", "from": "ready"}, "leave out from and to")],
)
def test_what_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        KvmStatsCheck(stat="exits", **keys)


def test_a_step_that_it_names_must_exist() -> None:
    assert KvmStatsCheck(stat="exits", count=1, during="work").steps_named() == ("work",)
