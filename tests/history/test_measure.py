from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sample_facts import GOOD
from sample_results import add_boot, boot_line, make_run
from sample_trace import ask_down, calls, counted, entry, facts, report, switch, within

from harness.errors import InputError
from harness.evidence.interrupts import parse_interrupts
from harness.evidence.records import Sample
from harness.history.measure import IrqCount, SwitchCount, measure, measure_boot, read_measures, write_measures

BEFORE = "           CPU0       CPU1\n  1:          0          5   IO-APIC  1-edge  i8042\nNMI:  0  0 Non-maskable\n"
AFTER = "           CPU0       CPU1\n  1:          0         25   IO-APIC  1-edge  i8042\nNMI:  1  0 Non-maskable\n"


def test_a_boot_without_a_trace_has_its_milestones_and_no_switches() -> None:
    found = measure("boots/0001", GOOD)
    assert found.marks == GOOD.marks
    assert (found.switches, found.calls, found.irqs) == (None, None, ())


def test_switches_are_counted_by_direction() -> None:
    events = [entry(0), *ask_down(0), switch(0, 2, 0), entry(0, 0), switch(0, 0, 2), entry(0)]
    found = measure("boots/0001", replace(GOOD, trace=facts(within("calls:1", events))))
    assert found.switches is not None
    assert SwitchCount(2, 0, 1, 0, 1) in found.switches
    assert [(count.from_vmpl, count.to_vmpl, count.completed) for count in found.switches] == [(0, 2, 1), (2, 0, 1)]
    assert not found.inferred


def test_what_the_guest_counted_is_by_source_and_cpu() -> None:
    samples = tuple(
        Sample(label, at_s, parse_interrupts(text), (0, 1))
        for label, at_s, text in (("ready", 1.0, BEFORE), ("end", 2.0, AFTER))
    )
    found = measure("boots/0001", replace(GOOD, samples=samples))
    assert found.irqs == (IrqCount("1 i8042", 1, None, 20), IrqCount("NMI", 0, None, 1))


def test_calls_are_what_a_complete_report_says() -> None:
    good = report(("calls:3", calls(3)), ("calls:4:each", f"{calls(4)}\n{calls(4, cpu=1)}"))
    assert measure("b", replace(GOOD, report=good)).calls == 11
    assert measure("b", replace(GOOD, report=report(("calls:3", calls(3)), plan=2))).calls is None
    assert measure("b", replace(GOOD, report=report(("keyboard:1", counted(0x31, 2))))).calls is None


def test_what_was_measured_is_kept_and_not_measured_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, [])
    line = add_boot(run, boot_line(), slower_s=0.5)
    assert line.folder is not None
    found = write_measures(run, [line.folder])
    assert [mark.at_s for mark in found[line.folder].marks] == [0.5, 1.5]
    (run.folder / line.folder / "boot.json").unlink()  # what is kept outlives the record
    assert write_measures(run, [line.folder, "boots/0099"]) == found
    assert read_measures(run) == found
    with pytest.raises(InputError):
        measure_boot(run, line.folder)


def test_a_damaged_line_is_measured_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line()])
    write_measures(run, ["boots/0001"])
    path = run.folder / "measures.jsonl"
    path.write_bytes(path.read_bytes()[:-20] + b"\n")
    assert read_measures(run) == {}
    assert set(write_measures(run, ["boots/0001"])) == {"boots/0001"}
