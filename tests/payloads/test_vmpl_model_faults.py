"""Every fault of the VMPL model changes what it says, and nothing is changed without one."""

from __future__ import annotations

import re

import pytest
from vmpl_model_boot import Boot, ModelBoot, missing_lines

pytestmark = pytest.mark.qemu

PLAN = "await-ms=200 run=calls:20;keyboard:10;ipi:10"
KEYBOARD, IPI = 0x31, 0x41
FLAVOURS = pytest.mark.parametrize("flavour", ["roy", "planes-v1"])


def _fired(found: ModelBoot, fault: str) -> int:
    summary = re.search(rf"^vmpl_model: fault {fault} opportunities=\d+ fired=(\d+)$", found.console, re.MULTILINE)
    assert summary, found.console
    return int(summary[1])


def _run_vmpl(found: ModelBoot, step: str) -> tuple[int, int]:
    down = found.select("kvm_vmgexit_enter", step, "exit_reason 80000018")
    up = found.select("kvm_vmgexit_msr_protocol_enter", step, "ghcb_gpa 0000000200000016")
    return len(down), len(up)


@FLAVOURS
def test_without_a_fault_all_is_well(boot: Boot, flavour: str) -> None:
    found = boot(2, f"flavour={flavour} {PLAN}")
    assert found.status == 33
    assert all(found.results().values())
    assert "fault" not in found.console


@FLAVOURS
@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        ("irq-to-vmpl0", {"keyboard:10"}),
        ("default-vmpl-never-raised", {"keyboard:10"}),
        ("irq-lost", {"keyboard:10", "ipi:10"}),
        ("irq-duplicated", {"keyboard:10", "ipi:10"}),
        ("irq-wrong-vcpu", {"keyboard:10", "ipi:10"}),
        ("ipi-wrong-vmpl", {"ipi:10"}),
    ],
)
def test_interrupt_faults_fail_the_guests_own_count(boot: Boot, flavour: str, fault: str, failing: set[str]) -> None:
    found = boot(2, f"flavour={flavour} {PLAN} fault={fault}")
    assert found.status == 35
    assert {name for name, ok in found.results().items() if not ok} == failing
    assert _fired(found, fault) > 0


def test_a_lost_key_is_raised_and_never_accepted(boot: Boot) -> None:
    found = boot(1, "await-ms=200 run=keyboard:10 fault=irq-lost:1:6", keys=5)
    raised = found.select("kvm_set_irq", "keyboard:10", "level 1")
    accepted = found.select("kvm_apic_accept_irq", "keyboard:10", "vec 49 ")
    assert len(accepted) == found.irqs("keyboard:10")[KEYBOARD, 0] == 6
    assert len(raised) == 6 + _fired(found, "irq-lost")


def test_a_duplicate_is_accepted_and_counted_once_more(boot: Boot) -> None:
    found = boot(1, "await-ms=200 run=keyboard:10 fault=irq-duplicated:1:9")
    assert len(found.select("kvm_set_irq", "keyboard:10", "level 1")) == 10
    assert len(found.select("kvm_apic_accept_irq", "keyboard:10", "vec 49 ")) == 11
    assert found.irqs("keyboard:10")[KEYBOARD, 0] == 11


def test_a_wrong_vcpu_counts_what_the_right_one_misses(boot: Boot) -> None:
    found = boot(2, "await-ms=200 run=ipi:10 fault=irq-wrong-vcpu:1:7")
    assert found.irqs("ipi:10")[IPI, 1] == 7
    assert found.irqs("ipi:10")[IPI, 0] == _fired(found, "irq-wrong-vcpu")


def test_planes_v1_enters_vmpl0_for_a_key_that_went_there(boot: Boot) -> None:
    found = boot(1, "flavour=planes-v1 await-ms=200 run=keyboard:2 fault=irq-to-vmpl0")
    # Forced in, the SVSM takes the interrupt and asks to go back: a return that no call explains.
    assert _run_vmpl(found, "keyboard:2") == (0, 1)
    assert (KEYBOARD, 0) not in found.irqs("keyboard:2")


@FLAVOURS
def test_a_dropped_switch_leaves_the_call_unanswered(boot: Boot, flavour: str) -> None:
    found = boot(1, f"flavour={flavour} run=calls:100 fault=switch-dropped:0.1:10")
    made, answered, _ = found.calls("calls:100")[0]
    down, up = _run_vmpl(found, "calls:100")
    assert found.status == 35
    assert made == down == 100
    assert 0 < answered < 100
    # A drop on the way back only makes the SVSM ask again.
    assert up == answered + _fired(found, "switch-dropped") - (made - answered)


@FLAVOURS
def test_a_refused_switch_that_is_ignored_is_a_live_lock(boot: Boot, flavour: str) -> None:
    fault = "fault=switch-refused-ignored:1:8"
    found = boot(1, f"flavour={flavour} trace-limit=5000 run=calls:10 {fault}", until="vmpl_model: trace-limit reached")
    assert "svsm-harness: step calls:10 begin" in found.console
    assert "step calls:10 end" not in found.console
    refused = found.select("kvm_vmgexit_msr_protocol_exit", contains="ghcb_gpa 0000001600000017, result 1")
    assert len(refused) > 500
    assert found.events[-1].name == "vmpl_model_trace_limit"


def test_spurious_switches_have_no_request_of_the_guest(boot: Boot) -> None:
    found = boot(1, "run=timer:20:200 fault=switch-spurious:0.2:40")
    down, up = _run_vmpl(found, "timer:20:200")
    switches = found.switches("timer:20:200")
    assert found.status == 33
    assert down == 0
    assert up == switches[0, 2, 0] == switches[0, 0, 2] > 5


@FLAVOURS
def test_a_lost_wake_up_sleeps_for_ever(boot: Boot, flavour: str) -> None:
    found = boot(
        1,
        f"flavour={flavour} run=idle:20;timer:5:200 fault=hlt-lost-wakeup:1:1",
        until="timer:5:200 begin",
        linger_s=0.3,
    )
    assert "timer:5:200 end" not in found.console
    assert [e.name for e in found.events][-2:] == ["kvm_exit", "kvm_apic_accept_irq"]
    assert "reason hlt" in found.events[-2].fields


@pytest.mark.parametrize(("after", "last"), [(0, "Launching AP 1 with"), (1, "svsm-harness: step boot begin")])
def test_an_ap_that_hangs_ends_the_console_there(boot: Boot, after: int, last: str) -> None:
    found = boot(2, f"fault=ap-start-hang:1:{after}", until=last, linger_s=0.3)
    assert last in found.console.splitlines()[-1]
    # The vCPU that waits spins and never exits; its lines must be there all the same.
    assert found.select("kvm_vmgexit_enter", contains="exit_reason 80000013")


@pytest.mark.parametrize("after", [0, 1])
def test_an_ap_that_triple_faults_resets_the_machine(boot: Boot, after: int) -> None:
    found = boot(2, f"fault=ap-start-triple-fault:1:{after}")
    assert found.status == 0
    assert "ready" not in found.console
    assert [e.vcpu for e in found.select("kvm_exit", contains="reason shutdown")] == [1]
    assert missing_lines(found.events) == 0


def test_an_svsm_panic_says_so_and_terminates(boot: Boot) -> None:
    found = boot(1, "run=calls:20 fault=svsm-panic:1:10")
    assert found.status == 39
    assert "ERROR: Panic on CPU[0]! COCONUT-SVSM Version: model" in found.console
    assert "ERROR: Info: panicked at " in found.console
    assert "vmpl_model fault svsm-panic\n" in found.console
    assert "SEV-ES guest requested termination: 0x0:0x0" in found.console
    assert found.select("kvm_vmgexit_msr_protocol_enter")[-1].fields.endswith("ghcb_gpa 0000000000000100")


def test_a_guest_panic_says_so(boot: Boot) -> None:
    found = boot(1, "run=calls:1;calls:2 fault=guest-panic:1:1")
    assert found.status == 41
    assert "Kernel panic - not syncing: vmpl_model fault guest-panic" in found.console
    assert "---[ end Kernel panic - not syncing: " in found.console
    assert found.results() == {"boot": True, "calls:1": True}


def test_a_slow_start_is_slow_before_the_guest(boot: Boot) -> None:
    quick, slow = (boot(1, f"slow-ms=400{fault}") for fault in ("", " fault=start-slow"))

    def launch_s(found: ModelBoot) -> float:
        return found.select("vmpl_model_mark", contains="step=boot begin")[0].seconds - found.events[0].seconds

    assert slow.status == 33
    assert launch_s(slow) - launch_s(quick) > 0.2


def test_lost_trace_lines_leave_gaps_that_the_sequence_shows(boot: Boot) -> None:
    found = boot(2, "run=calls:50 fault=trace-lost:0.02")
    fired = _fired(found, "trace-lost")
    assert found.status == 33
    assert fired > 5
    assert missing_lines(found.events) == fired


def test_the_seed_decides_which_opportunities_are_taken(boot: Boot) -> None:
    def answered(seed: int) -> list[int]:
        found = boot(1, f"seed={seed} run=calls:60 fault=switch-dropped:0.1:10")
        return [e.seq for e in found.select("kvm_vmgexit_exit", "calls:60")]

    assert answered(1) == answered(1)
    assert answered(1) != answered(2)
