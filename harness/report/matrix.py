"""Lay out where interrupts went: source by vCPU by VMPL, and VMPL switches by direction."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.history.measure import Measures
from harness.report.plain import plain

__all__ = ["IrqMatrix", "SwitchTable", "irq_matrix", "switch_table"]

_MOST_ROWS = 24
_MOST_VCPUS = 16


@dataclass(frozen=True, slots=True)
class IrqMatrix:
    """Hold a table: ``columns`` are (vCPU, VMPL or None), ``rows`` a source with a count for each column.

    ``left_out`` says what the table has no room for, empty if nothing.
    """

    vmpls: tuple[int | None, ...]
    vcpus: tuple[int, ...]
    columns: tuple[tuple[int, int | None], ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    left_out: str


@dataclass(frozen=True, slots=True)
class SwitchTable:
    """Hold switches by direction: rows of (direction, requested, refused, completed, completed for each call)."""

    rows: tuple[tuple[str, int, int, int, str], ...]
    calls: int | None
    inferred: bool


def irq_matrix(measures: Measures) -> IrqMatrix | None:
    """Lay out the interrupts of a boot; None if there were none."""
    counts: Counter[tuple[str, int, int | None]] = Counter()
    totals: Counter[str] = Counter()
    for irq in measures.irqs:
        counts[irq.source, irq.vcpu, irq.vmpl] += irq.count
        totals[irq.source] += irq.count
    if not counts:
        return None
    all_vcpus = sorted({vcpu for _, vcpu, _ in counts})
    vcpus = tuple(all_vcpus[:_MOST_VCPUS])
    vmpls = tuple(sorted({vmpl for _, _, vmpl in counts}, key=lambda vmpl: 9 if vmpl is None else vmpl))
    columns = tuple((vcpu, vmpl) for vcpu in vcpus for vmpl in vmpls)
    chosen = sorted(source for source, _ in totals.most_common(_MOST_ROWS))
    parts = []
    if len(totals) > len(chosen):
        parts.append(f"{len(totals) - len(chosen)} sources with fewer interrupts")
    if len(all_vcpus) > len(vcpus):
        parts.append(f"{len(all_vcpus) - len(vcpus)} more vCPUs")
    return IrqMatrix(
        vmpls=vmpls,
        vcpus=vcpus,
        columns=columns,
        rows=tuple((plain(source, 60), tuple(counts[source, *column] for column in columns)) for source in chosen),
        left_out=" and ".join(parts),
    )


def switch_table(measures: Measures) -> SwitchTable | None:
    """Lay out the switches of a boot; None if no trace shows them."""
    if measures.switches is None:
        return None
    calls = measures.calls
    rows = tuple(
        (
            f"VMPL{count.from_vmpl} to VMPL{count.to_vmpl}",
            count.requested,
            count.refused,
            count.completed,
            f"{count.completed / calls:.3g}" if calls else "",
        )
        for count in measures.switches
    )
    return SwitchTable(rows, calls, measures.inferred)
