"""Every expectation over real KVM events fails beside a guest that does something else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.qemu]

SCENARIO = Path(__file__).parent / "faults.yaml"


def test_each_expectation_notices(tmp_path: Path) -> None:
    # fmt: off
    done = subprocess.run(
        [
            sys.executable, "-m", "harness.cli", "run", SCENARIO, "--host", "virtual", "--results", tmp_path,
            "--format", "json",
        ],
        capture_output=True, text=True, timeout=400, check=False,
    )
    # fmt: on
    assert done.stdout, done.stderr
    boots = json.loads(done.stdout)["boots"]
    assert len(boots) == 2
    for boot in boots:
        verdicts = [v for v in boot["verdicts"] if v["check"] in ("kvm_events", "irq_routing")]
        assert [v["status"] for v in verdicts] == ["FAIL"] * 5, verdicts
    assert done.returncode == 1
