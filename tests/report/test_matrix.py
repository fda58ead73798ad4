from __future__ import annotations

from harness.history.measure import IrqCount, Measures, SwitchCount
from harness.report.matrix import irq_matrix, switch_table


def _measures(*irqs: IrqCount, switches: tuple[SwitchCount, ...] | None = None, calls: int | None = None) -> Measures:
    return Measures("boots/0001", (), switches, True, calls, irqs)


def test_source_by_vcpu_by_vmpl() -> None:
    matrix = irq_matrix(_measures(IrqCount("kbd", 0, 2, 9), IrqCount("kbd", 1, 0, 1), IrqCount("NMI", 1, None, 4)))
    assert matrix is not None
    assert matrix.columns == ((0, 0), (0, 2), (0, None), (1, 0), (1, 2), (1, None))
    assert matrix.rows == (("NMI", (0, 0, 0, 0, 0, 4)), ("kbd", (0, 9, 0, 1, 0, 0)))
    assert matrix.left_out == ""


def test_a_large_machine_is_cut_and_says_so() -> None:
    counts = [IrqCount(f"v{source:02}", vcpu, 2, source + 1) for source in range(40) for vcpu in range(64)]
    matrix = irq_matrix(_measures(*counts))
    assert matrix is not None
    assert (len(matrix.rows), len(matrix.vcpus)) == (24, 16)
    assert matrix.rows[-1][0] == "v39"  # those with the most interrupts stay
    assert matrix.left_out == "16 sources with fewer interrupts and 48 more vCPUs"


def test_no_interrupts_and_no_trace() -> None:
    assert irq_matrix(_measures()) is None
    assert switch_table(_measures()) is None


def test_switches_for_each_call() -> None:
    table = switch_table(_measures(switches=(SwitchCount(2, 0, 10, 1, 9),), calls=9))
    assert table is not None
    assert (table.rows, table.calls, table.inferred) == ((("VMPL2 to VMPL0", 10, 1, 9, "1"),), 9, True)
    unknown = switch_table(_measures(switches=(SwitchCount(2, 0, 10, 1, 9),)))
    assert unknown is not None and unknown.rows[0][4] == ""
