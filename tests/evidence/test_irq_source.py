"""The vectors of a source of /proc/interrupts, found in a real trace of nested KVM."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence.flavour import Flavour
from harness.evidence.irq import IrqSource
from harness.evidence.irq_source import find_vectors
from harness.evidence.trace import read_trace

TRACE = Path(__file__).parent / "golden" / "kvm-probe-6.1.trace"
KEYS = "keyboard:10:cpu1"
MSIS = "msis:10:cpu1"


@pytest.mark.parametrize(
    ("source", "step", "guest", "vectors", "unexplained"),
    [
        (IrqSource.GSI, KEYS, {1: 10}, {1: 0x31}, {}),
        (IrqSource.MSI, MSIS, {1: 10}, {1: 0x51}, {}),
        (IrqSource.MSI, MSIS, {1: 9}, {}, {1: {0x51: 10}}),
        (IrqSource.MSI, MSIS, {0: 10}, {}, {0: {}}),
        (IrqSource.MSI, KEYS, {1: 10}, {}, {1: {}}),
        (IrqSource.MSI, MSIS, {}, {}, {}),
    ],
)
def test_a_source_has_the_vector_that_was_delivered_as_often(
    source: IrqSource, step: str, guest: dict[int, int], vectors: dict[int, int], unexplained: dict[int, dict[int, int]]
) -> None:
    irqs = read_trace([TRACE.read_bytes()], 2, Flavour.MAINLINE).irqs
    assert irqs is not None
    found = find_vectors(irqs, source, guest, step, None, None)
    assert (dict(found.vectors), {cpu: dict(here) for cpu, here in found.unexplained.items()}) == (vectors, unexplained)
