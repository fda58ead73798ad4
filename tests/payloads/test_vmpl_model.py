"""The VMPL model as a program: its build, its options, its report, its trace's form, its ways out."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from vmpl_model_boot import SOURCE, Boot, missing_lines

pytestmark = pytest.mark.qemu

EXIT_PASSED = 33
EXIT_BAD_OPTION = 37


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_build_is_reproducible_and_leaves_the_source_alone(vmpl_model_elf: Path, tmp_path: Path) -> None:
    sources = [path for name in ("vmpl_model", "lib") for path in (SOURCE.parent / name).rglob("*") if path.is_file()]
    before = {path: _digest(path) for path in sources}
    copy = tmp_path / "elsewhere"
    for name in ("vmpl_model", "lib"):
        shutil.copytree(SOURCE.parent / name, copy / name)
    subprocess.run(["make", "-C", copy / "vmpl_model", "-j2", f"OUT={tmp_path}"], check=True, capture_output=True)
    assert _digest(tmp_path / "vmpl_model.elf") == _digest(vmpl_model_elf)
    assert before == {path: _digest(path) for path in sources}


def test_image_uses_no_vector_register_and_no_cmpxchg16b(vmpl_model_elf: Path) -> None:
    listing = subprocess.run(["objdump", "-d", vmpl_model_elf], capture_output=True, text=True, check=True).stdout
    assert "cmpxchg16b" not in listing
    assert "%xmm" not in listing


@pytest.mark.parametrize(
    ("append", "reason"),
    [
        ("frobnicate=1", "unknown option: frobnicate=1"),
        ("run", "not KEY=VALUE: run"),
        ("flavour=mainline", "unknown value in: flavour=mainline"),
        ("guest-vmpl=0", "number missing or out of range in: guest-vmpl=0"),
        ("guest-vmpl=4", "number missing or out of range in: guest-vmpl=4"),
        ("seed=", "number missing or out of range in: seed="),
        ("nmi-vmpl=1", "nmi-vmpl must be 0 or the guest's VMPL"),
        ("flavour=tom run=vmpl0timer:1", "stimulus 1: vmpl0timer needs an APIC of VMPL0's own"),
        ("flavour=tom fault=irq-to-vmpl0", "flavour=tom has one APIC for all VMPLs"),
        ("fault=irq-stolen", "not NAME[:RATE[:AFTER]] of a known fault: fault=irq-stolen"),
        ("fault=irq-lost:1.5", "not NAME[:RATE[:AFTER]]"),
        ("fault=irq-lost:-1", "not NAME[:RATE[:AFTER]]"),
        ("fault=irq-lost:0.5:x", "not NAME[:RATE[:AFTER]]"),
        ("run=calls", "stimulus 1: stimulus wants a count of 1 to 1000000"),
        ("run=calls:0", "stimulus 1: stimulus wants a count of 1 to 1000000"),
        ("run=calls:1;dance:2", "stimulus 2: unknown stimulus"),
        ("run=calls:1;", None),
        ("run=calls:1;;calls:1", "stimulus 2: unknown stimulus"),
        ("run=calls:1:cpu7", "stimulus 1: unknown field in stimulus"),
        ("run=ipi:1:each", "stimulus 1: unknown field in stimulus"),
        ("run=idle:2000m", "stimulus 1: idle wants one duration"),
        ("run=restart:1", "stimulus 1: restart needs a second CPU"),
    ],
)
def test_bad_options_stop_the_boot(boot: Boot, append: str, reason: str | None) -> None:
    found = boot(1, append)
    if reason is None:
        assert found.status == EXIT_PASSED
        return
    assert found.status == EXIT_BAD_OPTION
    for port in (found.console, found.report):
        assert "Bail out! vmpl_model: " in port
        assert reason in port
    assert "KTAP" not in found.report


def test_milestones_come_in_coconuts_order(boot: Boot) -> None:
    found = boot(2, "")
    milestones = [
        "COCONUT Secure Virtual Machine Service Module Version model",
        "Launching AP 1 with APIC-ID 1",
        "CPU 1 is online",
        "VMSA PA: ",
        "Launching Firmware",
        "Launching request-processing task on CPU 0",
        "svsm-harness: guest started at VMPL2",
        "svsm-harness: guest CPU 1 is online",
        "svsm-harness: ready",
    ]
    at = [found.console.index(text) for text in milestones]
    assert at == sorted(at)
    assert found.report.startswith("KTAP version 1\n1..1\n")
    assert found.results() == {"boot": True}
    assert found.status == EXIT_PASSED


@pytest.mark.parametrize("flavour", ["roy", "planes-v1", "tom"])
def test_every_line_is_there_and_counted(boot: Boot, flavour: str) -> None:
    found = boot(2, f"flavour={flavour} run=calls:50;timer:5;calls:50")
    assert found.status == EXIT_PASSED
    assert missing_lines(found.events) == 0
    end = found.events[-1]
    assert (end.name, end.fields) == ("vmpl_model_trace_end", f"lines={len(found.events) - 1}")
    assert f"flavour={flavour} guest_vmpl=2 vcpus=2" in found.trace.splitlines()[0]
    # A step's name is unique, so that it can be counted by.
    assert set(found.results()) == {"boot", "calls:50", "timer:5", "calls:50#2"}


def test_entries_and_exits_alternate_on_every_vcpu(boot: Boot) -> None:
    found = boot(4, "run=calls:20;ipi:10;timer:5")
    for vcpu in range(4):
        kinds = [e.name for e in found.events if e.name in ("kvm_entry", "kvm_exit") and e.vcpu == vcpu]
        assert kinds[::2] == ["kvm_entry"] * len(kinds[::2])
        assert kinds[1::2] == ["kvm_exit"] * len(kinds[1::2])


def test_planes_v1_writes_the_formats_of_7_1(boot: Boot) -> None:
    found = boot(1, "flavour=planes-v1 run=calls:1")
    assert found.select("kvm_entry")[0].fields == "vcpu 0, rip 0x0 intr_info 0x00000000 error_code 0x00000000"
    assert found.select("kvm_exit")[0].fields.endswith(" error_code 0x00000000 requests 0x0000000000000000")
    assert not found.select("kvm_arch_vcpu_ioctl_run_vtl_switch")


def test_tom_writes_the_formats_of_6_11_without_a_switch_event(boot: Boot) -> None:
    found = boot(1, "flavour=tom run=calls:1")
    assert re.fullmatch(r"vcpu 0, rip 0x[0-9a-f]+", found.select("kvm_entry")[0].fields)
    assert found.select("kvm_exit")[0].fields.endswith(" error_code 0x00000000")
    assert not found.select("kvm_arch_vcpu_ioctl_run_vtl_switch")
    # The VMSA is swapped before the line is written, so it shows the GHCB MSR of the VMPL that runs next.
    answer = found.select("kvm_vmgexit_msr_protocol_exit", "calls:1")[0].fields
    assert re.fullmatch(r"vcpu 0, ghcb_gpa [0-9a-f]{13}000, result 1", answer)


@pytest.mark.parametrize("vmpl", [1, 3])
def test_guest_vmpl_is_a_parameter(boot: Boot, vmpl: int) -> None:
    found = boot(2, f"guest-vmpl={vmpl} run=calls:5")
    assert found.status == EXIT_PASSED
    assert found.switches("calls:5") == {(cpu, *way): 5 for cpu in (0, 1) for way in ((vmpl, 0), (0, vmpl))}
    returns = found.select("kvm_vmgexit_msr_protocol_enter", "calls:5", f"ghcb_gpa 0000000{vmpl}00000016")
    assert len(returns) == 10


def test_end_idle_stays_asleep_until_it_is_told(boot: Boot) -> None:
    found = boot(2, "end=idle run=calls:2", until="svsm-harness: ready")
    assert found.status == 0
    assert missing_lines(found.events) == 0
    assert not found.select("vmpl_model_trace_end")


def test_trace_limit_is_said_in_the_trace(boot: Boot) -> None:
    found = boot(1, "trace-limit=100 run=calls:50")
    assert found.status == EXIT_PASSED
    assert [e.fields for e in found.select("vmpl_model_trace_limit")] == ["lines=100"]
    assert len(found.events) == 101
    assert not found.select("vmpl_model_trace_end")
