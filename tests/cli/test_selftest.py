"""``svsm-harness selftest``: its table, and the whole matrix under QEMU."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.checks.base import Status
from harness.cli.selftest import _table
from harness.detection import FAULTS, Row

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def _row(spec: str, flavour: str, cells: dict[str, Status], wrong: tuple[str, ...] = (), struck: int | None = 1) -> Row:
    return Row(flavour, spec, spec, struck, frozenset({"irq_routing"}), cells, {}, wrong, "boots/0001")


def test_a_cell_has_a_symbol_for_each_flavour() -> None:
    rows = [
        _row("none", "roy", {"irq_routing": PASS, "report": PASS}, struck=None),
        _row("none", "planes-v1", {"irq_routing": FAIL}, ("irq_routing must stay quiet and says FAIL",), None),
        _row("irq-lost", "roy", {"irq_routing": FAIL, "report": FAIL}, struck=3),
        _row("irq-lost", "planes-v1", {"irq_routing": INCONCLUSIVE, "report": PASS},
             ("nobody noticed: irq_routing says INCONCLUSIVE",), None),
    ]  # fmt: skip
    assert [line.split() for line in _table(rows)] == [
        ["irq_"],
        ["fault", "struck", "routing", "report"],
        ["none", ".", "!", ".", "-"],
        ["irq-lost", "3", "?", "X", "!", "x", "."],
    ]


def _selftest(program: Path, folder: Path, *options: str) -> tuple[int, Any]:
    argv = [str(program), "selftest", "--results", str(folder), "--format", "json", *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_fault_is_noticed_by_its_check_and_nothing_else_cries(
    site: object, program: Path, tmp_path: Path
) -> None:
    # More at a time than there are CPUs: boots that hang only wait.
    status, document = _selftest(program, tmp_path, "-n", "4")
    assert (status, document["problems"]) == (0, [])
    # Each fault struck, in each flavour.
    struck = {(row["fault"].partition(":")[0], row["flavour"]) for row in document["rows"] if row["struck"] != 0}
    assert {(fault.name, flavour) for fault in FAULTS for flavour in ("roy", "planes-v1")} <= struck
    reasons = {(row["fault"], row["flavour"]): " ".join(row["reasons"].values()) for row in document["rows"]}
    for flavour in ("roy", "planes-v1"):
        assert "never accepted" in reasons["irq-lost", flavour]
        assert "never raised" in reasons["irq-duplicated", flavour]
        assert "another vCPU" in reasons["irq-wrong-vcpu", flavour]
        for fault in ("irq-to-vmpl0", "ipi-wrong-vmpl", "default-vmpl-never-raised"):
            assert "went to VMPL0" in reasons[fault, flavour]
        assert "live-lock" in reasons["switch-refused-ignored", flavour]
        assert "guest-reset" in reasons["ap-start-triple-fault", flavour]
        for fault in ("hlt-lost-wakeup", "ap-start-hang"):
            assert "hang" in reasons[fault, flavour]


@pytest.mark.qemu
def test_boots_without_a_fault_raise_no_alarm(site: object, program: Path, tmp_path: Path) -> None:
    status, document = _selftest(program, tmp_path, "--boots", "8")
    assert (status, document["problems"]) == (0, [])
    assert len(document["rows"]) == 8
