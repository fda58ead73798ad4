from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.interrupts import InterruptTable, change, parse_cpu_list, parse_interrupts

# Read from Debian's 6.1 under QEMU 7.2's TCG, q35.
_REAL = {cpus: Path(__file__).parent / "golden" / f"linux-6.1-{cpus}cpu.interrupts" for cpus in (1, 2, 4)}
# CPU 1 of 4 is offline: it has no column (kernel/irq/proc.c prints for_each_online_cpu).
_OFFLINE = """\
           CPU0       CPU2       CPU3       
  1:          0          5          9   IO-APIC   1-edge      i8042
 10:          1          0          0   IO-APIC  10-fasteoi   virtio0, i8042
NMI:          1          2          3   Non-maskable interrupts
LOC:        712        705        558   Local timer interrupts
ERR:          4
MIS:          0
"""  # noqa: W291


def _counts(table: InterruptTable, source: str) -> list[tuple[str, dict[int, int]]]:
    return [(line.irq, dict(line.counts)) for line in table.find(source)]


def _table(rows: str, cpus: tuple[int, ...] = (0, 1)) -> InterruptTable:
    return parse_interrupts(" ".join(f"CPU{cpu}" for cpu in cpus) + "\n" + rows)


@pytest.mark.parametrize("cpus", _REAL)
def test_real_text(cpus: int) -> None:
    table = parse_interrupts(_REAL[cpus].read_text())
    assert table.cpus == tuple(range(cpus))
    assert len(table.lines) == 24
    assert [line.irq for line in table.lines][:4] == ["0", "1", "4", "8"]
    assert table.find("i8042") == table.find("1") + table.find("12")
    assert sum(line.total for line in table.find("1")) == 9
    assert [line.text for line in table.find("25")] == ["PCI-MSI 16385-edge      virtio0-input.0"]
    assert [len(line.counts) for line in table.lines if line.irq not in ("ERR", "MIS")] == [cpus] * 22


def test_columns_belong_to_their_cpus() -> None:
    table = parse_interrupts(_REAL[4].read_text())
    assert _counts(table, "1") == [("1", {0: 0, 1: 0, 2: 0, 3: 9})]
    assert _counts(table, "LOC") == [("LOC", {0: 712, 1: 748, 2: 705, 3: 558})]


def test_an_offline_cpu_has_no_column() -> None:
    table = parse_interrupts(_OFFLINE)
    assert table.cpus == (0, 2, 3)
    assert _counts(table, "1") == [("1", {0: 0, 2: 5, 3: 9})]
    assert _counts(table, "ERR") == [("ERR", {0: 4})]
    assert _counts(table, "MIS") == [("MIS", {0: 0})]


@pytest.mark.parametrize(
    ("source", "irqs"),
    [
        ("i8042", ["1", "10"]),  # alone, and last of a shared line
        ("virtio0", ["10"]),  # its comma is not part of it
        ("virtio", []),
        ("IO-APIC", ["1", "10"]),
        ("1-edge", ["1"]),
        ("10", ["10"]),
        ("NMI", ["NMI"]),
        ("interrupts", []),  # the kernel's prose behind NMI and LOC names nothing
        ("", []),
    ],
)
def test_a_source_is_an_irq_or_a_whole_word(source: str, irqs: list[str]) -> None:
    assert [line.irq for line in parse_interrupts(_OFFLINE).find(source)] == irqs


def test_the_timer_is_not_the_local_timer() -> None:
    assert [line.irq for line in parse_interrupts(_REAL[2].read_text()).find("timer")] == ["0"]


def test_a_reading_that_is_cut_anywhere_is_refused_or_lacks_whole_lines() -> None:
    text = _REAL[2].read_text()
    whole = parse_interrupts(text).lines
    for size in range(len(text)):
        cut = text[:size]
        if size and cut.endswith("\n"):
            lines = parse_interrupts(cut).lines
            assert lines == whole[: len(lines)]
        else:
            with pytest.raises(ValueError, match="cut"):
                parse_interrupts(cut)


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        "nothing of the kind\n",
        "CPU0 CPUx\n",
        "CPU0 CPU1\n  1:   5\n",
        "CPU0 CPU1\n  1:   5  IO-APIC\n",
        "CPU0 CPU1\n  1:   5 -6 IO-APIC\n",
        "CPU0\nERR:\n",
        "CPU0\nERR: many\n",
        "CPU0\nno colon here\n",
    ],
)
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(ValueError, match="/proc/interrupts"):
        parse_interrupts(text)


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_refused(rest: str) -> None:
    try:
        table = parse_interrupts(f"CPU0 CPU1\n{rest}\n")
    except ValueError:
        return
    assert all(count >= 0 for line in table.lines for _, count in line.counts)


def test_lines_of_one_name_are_added_up() -> None:
    before = _table("1: 1 2 IO-APIC 1-edge i8042\n12: 10 20 IO-APIC 12-edge i8042\n")
    after = _table("1: 2 2 IO-APIC 1-edge i8042\n12: 10 25 IO-APIC 12-edge i8042\n")
    grown = change("i8042", before, after)
    assert (grown.source, grown.by_cpu, grown.total) == ("i8042", ((0, 1), (1, 5)), 6)


def test_a_line_that_was_not_there_began_at_nothing() -> None:
    assert change("new", _table("1: 1 1 x i8042\n"), _table("1: 1 1 x i8042\n9: 3 4 x new\n")).by_cpu == (
        (0, 3),
        (1, 4),
    )


ONE, BOTH = (0,), (0, 1)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (("1: 5 x i8042", ONE), ("1: 6 7 x i8042", BOTH), "CPU 1 was offline at the first reading"),
        (("1: 5 x i8042", ONE), ("1: 6 0 x i8042", BOTH), ((0, 1), (1, 0))),  # it came with nothing: that is known
        (("1: 5 7 x i8042", BOTH), ("1: 6 x i8042", ONE), "CPU 1 was offline at the second reading"),
        (("1: 5 0 x i8042", BOTH), ("1: 6 x i8042", ONE), "CPU 1 was offline at the second reading"),
        (("9: 5 0 x other", BOTH), ("1: 6 x i8042", ONE), "CPU 1 was offline at the second reading"),
        (("1: 5 x i8042", (1,)), ("1: 6 x i8042", (2,)), "CPU 1 was offline at the second reading"),
        (("1: 5 6 x i8042", BOTH), ("1: 4 9 x i8042", BOTH), "'i8042' went down"),
        (("1: 5 6 x i8042", BOTH), ("9: 5 6 x acpi", BOTH), "no interrupt source 'i8042'; it has 9, acpi"),
    ],
)
def test_change_across_hotplug(
    before: tuple[str, tuple[int, ...]],
    after: tuple[str, tuple[int, ...]],
    says: str | tuple[tuple[int, int], ...],
) -> None:
    tables = [_table(f"{row}\n", cpus) for row, cpus in (before, after)]
    if isinstance(says, str):
        with pytest.raises(ValueError, match=says):
            change("i8042", *tables)
    else:
        assert change("i8042", *tables).by_cpu == says


def test_a_machine_wide_count_does_not_move_with_the_columns() -> None:
    assert change("ERR", _table("ERR: 3\n", (0, 1)), _table("ERR: 5\n", (1, 2))).by_cpu == ((0, 2),)


def test_what_the_guest_has_instead_is_named_without_prose() -> None:
    table = parse_interrupts(_OFFLINE)
    with pytest.raises(ValueError, match=r"it has 1, 10, ERR, LOC, MIS, NMI, i8042$"):
        change("ttyS0", table, table)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0\n", (0,)), ("0-3\n", (0, 1, 2, 3)), ("0,2-3,7", (0, 2, 3, 7)), ("5-5", (5,))],
)
def test_cpu_lists(text: str, cpus: tuple[int, ...]) -> None:
    assert parse_cpu_list(text) == cpus


@pytest.mark.parametrize("text", ["", "\n", "a", "0-", "-1", "3-1", "0,,1", "0x1"])
def test_what_is_no_cpu_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_cpu_list(text)
