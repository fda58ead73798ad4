"""``irq_routing`` with guest_source, on a real trace of nested KVM (tests/evidence/golden)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import around, expect

from harness.checks.base import Status
from harness.checks.irq_routing import IrqRoutingCheck
from harness.evidence.flavour import Flavour
from harness.evidence.ktap import parse_ktap
from harness.evidence.trace import TraceFacts, read_trace

GOLDEN = Path(__file__).parents[1] / "evidence" / "golden"
REPORT = (GOLDEN / "kvm-probe-6.1.ktap").read_bytes()
KEYS = "keyboard:10:cpu1"
MSIS = "msis:10:cpu1"
PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def read(*without: str) -> TraceFacts:
    """Read the trace; each text takes the first line out that has it."""
    lines = (GOLDEN / "kvm-probe-6.1.trace").read_bytes().splitlines(keepends=True)
    for text in without:
        del lines[next(at for at, line in enumerate(lines) if text.encode() in line)]
    return read_trace([b"".join(lines)], 2, Flavour.MAINLINE)


def _check(**keys: Any) -> IrqRoutingCheck:
    return IrqRoutingCheck.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "grown", "without", "status", "operand"),
    [
        ({"count": 10, "vcpu": 1}, (0, 10), [], PASS, "the trace delivered as many (0x51 on vCPU 1)"),
        ({"at_least": 10}, (0, 10), [], PASS, "the guest counted 10 (CPU 1: 10)"),
        ({"count": 9}, (0, 10), [], FAIL, "expected 9 (+1)"),
        ({"at_least": 11}, (0, 10), [], FAIL, "expected at least 11"),
        ({"count": 10, "vcpu": 0}, (0, 10), [], FAIL, "10 not on vCPU 0, but on vCPU 1"),
        ({"count": 10}, (10, 0), [], FAIL, "no vector was delivered as often on vCPU 0, the trace has none"),
        ({"count": 10}, (0, 11), [], FAIL, "the trace has 10 of vector 0x51"),
        ({"count": 9}, (0, 9), ["apicid 1 vec 81", "IRQ 0x51"], FAIL, "1 lost: raised and never accepted"),
        ({"count": 10}, (0, 10), ["kvm_msi_set_irq"], FAIL, "the trace has 9 of vector 0x51"),
        ({"count": 1}, (0, 0), [], FAIL, "expected 1 (-1)"),
    ],
)
def test_the_guests_table_is_confronted_with_the_trace(
    keys: dict[str, int], grown: tuple[int, int], without: list[str], status: Status, operand: str
) -> None:
    check = _check(source="MSI", during=MSIS, guest_source="virtio1-input.0", **keys)
    samples = around(MSIS, {"virtio1-input.0": (0, 0)}, {"virtio1-input.0": grown})
    expect(check, status, operand, trace=read(*without), samples=samples)


def test_a_gsi_needs_no_source() -> None:
    check = _check(gsi=1, during=KEYS, guest_source="i8042", count=10, vcpu=1)
    assert check.needs_samples
    samples = around(KEYS, {"i8042": (3, 0)}, {"i8042": (3, 10)})
    expect(check, PASS, "GSI of i8042", "0x31 on vCPU 1", trace=read(), samples=samples)


def test_without_the_guests_counts_nothing_is_decided() -> None:
    check = _check(gsi=1, during=KEYS, guest_source="i8042", count=10)
    expect(check, INCONCLUSIVE, "was not asked for its interrupts", trace=read())
    samples = around(KEYS, {"i8042": (0, 0)}, {"other": (0, 10)})
    expect(check, INCONCLUSIVE, "no interrupt source 'i8042'", trace=read(), samples=samples)


@pytest.mark.parametrize("keys", [{"source": "IPI"}, {"source": "local"}, {"vector": 0x31}])
def test_a_source_that_has_no_line_of_its_own_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="guest_source needs source: MSI or GSI"):
        _check(guest_source="i8042", **keys)


@pytest.mark.parametrize(
    ("said", "status", "operand"),
    [
        (b"count=10", PASS, "10 raised, 10 accepted, 10 delivered"),
        (b"count=9", FAIL, "the guest counted 9 of vector 0x51 on CPU 1, the trace delivered 10"),
        (b"count=11", FAIL, "the guest counted 11 of vector 0x51 on CPU 1, the trace delivered 10"),
    ],
)
def test_where_kvm_knows_no_vmpl_every_interrupt_is_the_guests(said: bytes, status: Status, operand: str) -> None:
    report = parse_ktap([REPORT.replace(b"# irq vector=0x51 cpu=1 count=10", b"# irq vector=0x51 cpu=1 " + said)])
    expect(_check(source="MSI", during=MSIS, count=10, vcpu=1), status, operand, trace=read(), report=report)
