"""What the VMPL model promises to a scenario: exact switches, and interrupts that trace and guest count alike."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from vmpl_model_boot import Boot, Event, ModelBoot

pytestmark = pytest.mark.qemu

RUN_VMPL_0 = "exit_reason 80000018, exit_info1 0, exit_info2 0"
RUN_VMPL_2 = "ghcb_gpa 0000000200000016"
KEYBOARD, TIMER, IPI, NMI = 0x31, 0x30, 0x41, 2


def _requests(found: ModelBoot, step: str) -> tuple[Counter[int], Counter[int]]:
    down = Counter(e.vcpu for e in found.select("kvm_vmgexit_enter", step, RUN_VMPL_0))
    up = Counter(e.vcpu for e in found.select("kvm_vmgexit_msr_protocol_enter", step, RUN_VMPL_2))
    return down, up


def _accepted(found: ModelBoot, step: str, vector: int) -> Counter[int]:
    return Counter(int(e.fields.split()[1], 16) for e in found.select("kvm_apic_accept_irq", step, f" vec {vector} ("))


def _injected_vmpls(found: ModelBoot, step: str, vector: int) -> Counter[str]:
    """Say at which VMPL the entry after each injection was, for roy."""
    seen: Counter[str] = Counter()
    waiting: dict[int, int] = {}
    for event in found.events:
        if event.name == "kvm_inj_virq" and event.step == step and event.fields == f"IRQ 0x{vector:x}":
            waiting[event.cpu] = waiting.get(event.cpu, 0) + 1
        elif event.name == "kvm_entry" and waiting.get(event.cpu):
            vmpl = re.search(r"vcpu_vmpl (\d)", event.fields)
            assert vmpl, event
            seen[vmpl[1]] += waiting.pop(event.cpu)
    return seen


@pytest.mark.parametrize("vcpus", [1, 2, 4, 8])
def test_roy_switches_twice_for_each_call_and_once_to_start_a_vcpu(boot: Boot, vcpus: int) -> None:
    found = boot(vcpus, "run=calls:1;calls:30;calls:10:one;pvalidate:5;calls:7:query;storm:20")
    assert found.status == 33, found.report
    for step, calls in (("calls:1", 1), ("calls:30", 30), ("pvalidate:5", 10), ("calls:7:query", 7), ("storm:20", 20)):
        expected = {(cpu, *way): calls for cpu in range(vcpus) for way in ((2, 0), (0, 2))}
        assert found.switches(step) == expected, step
        assert _requests(found, step) == (Counter(dict.fromkeys(range(vcpus), calls)),) * 2
        assert found.calls(step) == {cpu: (calls, calls, calls) for cpu in range(vcpus)}
    assert found.switches("calls:10:one") == {(0, 2, 0): 10, (0, 0, 2): 10}
    assert len(found.select("kvm_vmgexit_enter", "pvalidate:5", "exit_reason 80000010")) == 10 * vcpus
    # Two queries and a CREATE_VCPU for each AP; the boot CPU's launch is before the step, an AP's is in it.
    boot_calls = 2 + vcpus - 1
    starts = {(cpu, 0, 2): 1 for cpu in range(1, vcpus)}
    assert found.switches("boot") == {(0, 2, 0): boot_calls, (0, 0, 2): boot_calls} | starts
    assert len(found.select("kvm_vmgexit_enter", "boot", "exit_reason 80000013")) == vcpus - 1


@pytest.mark.parametrize(("flavour", "before"), [("roy", True), ("tom", True), ("planes-v1", False)])
def test_the_ghcb_is_unmapped_before_the_switch_or_at_the_way_back(boot: Boot, flavour: str, before: bool) -> None:
    lane = boot(1, f"flavour={flavour} run=calls:3").events
    requests = [at for at, e in enumerate(lane) if e.name == "kvm_vmgexit_enter" and RUN_VMPL_0 in e.fields]
    for at in requests:
        unmapped = next(i for i in range(at, len(lane)) if lane[i].name == "kvm_vmgexit_exit")
        entered = next(i for i in range(at, len(lane)) if lane[i].name == "kvm_entry")
        assert (unmapped < entered) is before


@pytest.mark.parametrize(("flavour", "vcpus"), [("planes-v1", 1), ("planes-v1", 4), ("tom", 1), ("tom", 4)])
def test_the_other_flavours_make_the_same_requests(boot: Boot, flavour: str, vcpus: int) -> None:
    found = boot(vcpus, f"flavour={flavour} run=calls:30;storm:20")
    assert found.status == 33, found.report
    for step, calls in (("calls:30", 30), ("storm:20", 20)):
        assert _requests(found, step) == (Counter(dict.fromkeys(range(vcpus), calls)),) * 2


def test_idle_switches_never_and_sleeps(boot: Boot) -> None:
    found = boot(2, "run=idle:200ms")
    assert found.status == 33
    assert not found.switches("idle:200ms")
    assert _requests(found, "idle:200ms") == (Counter(), Counter())
    # Arming the alarm, one HLT, one wake-up: nothing else moves.
    assert len(found.select("kvm_exit", "idle:200ms")) < 12
    assert {e.vcpu for e in found.select("kvm_exit", "idle:200ms")} == {0}


@pytest.mark.parametrize("vcpus", [1, 2, 4])
def test_ipis_stay_in_their_vmpl_and_reach_their_cpu(boot: Boot, vcpus: int) -> None:
    found = boot(vcpus, "run=ipi:25")
    targets = range(1, vcpus) if vcpus > 1 else range(1)
    assert found.status == 33, found.report
    assert found.irqs("ipi:25") == {(IPI, cpu): 25 for cpu in targets}
    assert _accepted(found, "ipi:25", IPI) == dict.fromkeys(targets, 25)
    assert _injected_vmpls(found, "ipi:25", IPI) == {"2": 25 * len(targets)}
    assert not found.switches("ipi:25")
    sent = Counter(e.fields for e in found.select("kvm_apic_ipi", "ipi:25"))
    assert sent == {f"dst {cpu} vec 65 (Fixed|physical|assert|edge|dst)": 25 for cpu in targets}


@pytest.mark.parametrize("flavour", ["roy", "planes-v1", "tom"])
def test_timer_counts_exactly_on_every_cpu(boot: Boot, flavour: str) -> None:
    found = boot(4, f"flavour={flavour} run=timer:12:300")
    assert found.status == 33, found.report
    assert found.irqs("timer:12:300") == {(TIMER, cpu): 12 for cpu in range(4)}
    assert _accepted(found, "timer:12:300", TIMER) == dict.fromkeys(range(4), 12)
    assert len(found.select("kvm_inj_virq", "timer:12:300", "IRQ 0x30")) == 48
    assert len(found.select("kvm_eoi", "timer:12:300", "vector 48")) == 48


def test_keys_come_to_the_guest_through_the_ioapic_in_roy(boot: Boot) -> None:
    found = boot(2, "run=keyboard:20")
    step = "keyboard:20"
    assert found.status == 33, found.report
    assert found.irqs(step)[KEYBOARD, 0] == 20
    assert len(found.select("kvm_set_irq", step, "gsi 1 level 1")) == 20
    assert len(found.select("kvm_set_irq", step, "gsi 1 level 0")) == 20
    assert _accepted(found, step, KEYBOARD) == {0: 20}
    assert _injected_vmpls(found, step, KEYBOARD) == {"2": 20}
    assert {e.fields for e in found.select("kvm_ioapic_set_irq", step)} == {"pin 1 dst 0 vec 49 (Fixed|physical|edge)"}


def test_keys_come_as_msi_in_planes_v1(boot: Boot) -> None:
    found = boot(2, "flavour=planes-v1 run=keyboard:20")
    assert found.status == 33, found.report
    assert found.irqs("keyboard:20")[KEYBOARD, 0] == 20
    assert [e.fields for e in found.select("kvm_msi_set_irq", "keyboard:20")] == [
        "dst 0 vec 49 (Fixed|physical|edge)"
    ] * 20
    assert not found.select("kvm_set_irq")
    assert _requests(found, "keyboard:20") == (Counter(), Counter())


def test_nmi_reaches_the_boot_cpu_only(boot: Boot) -> None:
    found = boot(2, "run=nmi:3")
    assert found.status == 33, found.report
    assert found.irqs("nmi:3") == {(NMI, 0): 3}
    assert len(found.select("kvm_apic_accept_irq", "nmi:3", "vec 2 (NMI|edge)")) == 3


@pytest.mark.parametrize("flavour", ["roy", "planes-v1", "tom"])
def test_an_interrupt_during_a_slow_call_waits_for_its_vmpl(boot: Boot, flavour: str) -> None:
    found = boot(2, f"flavour={flavour} run=slow:5:400")
    assert found.status == 33, found.report
    assert found.irqs("slow:5:400") == {(TIMER, 0): 5, (TIMER, 1): 5}
    for cpu in (0, 1):
        lane = [e for e in found.events if e.cpu == cpu and e.step == "slow:5:400"]
        for at, event in enumerate(lane):
            if event.name == "kvm_inj_virq" and event.fields == "IRQ 0x30":
                # The last Run-VMPL before an injection is the SVSM's way back to the guest.
                assert _last_request(lane[:at]).name == "kvm_vmgexit_msr_protocol_enter"


def _last_request(lane: list[Event]) -> Event:
    return [e for e in lane if e.name.endswith("_enter") and (RUN_VMPL_0 in e.fields or RUN_VMPL_2 in e.fields)][-1]


def test_vmpl0_timer_forces_a_switch_in_planes_v1_only(boot: Boot) -> None:
    step = "vmpl0timer:6:400"
    roy = boot(2, f"run={step}")
    planes = boot(2, f"flavour=planes-v1 run={step}")
    assert roy.status == planes.status == 33
    # Two calls an iteration; each interrupt that planes-v1 forces in makes the SVSM return once more.
    assert _requests(roy, step) == (Counter({0: 12, 1: 12}), Counter({0: 12, 1: 12}))
    assert roy.switches(step) == {(cpu, *way): 12 for cpu in (0, 1) for way in ((2, 0), (0, 2))}
    assert _injected_vmpls(roy, step, 0x50) == {"0": 12}
    assert _requests(planes, step) == (Counter({0: 12, 1: 12}), Counter({0: 18, 1: 18}))


def test_default_irq_vmpl_is_raised_when_the_first_guest_vmsa_is_installed(boot: Boot) -> None:
    """Keys go to VMPL2 right after the first entry there, as they are routed when they come."""
    found = boot(1, "run=keyboard:2")
    entries = [e for e in found.select("kvm_entry") if "vcpu_vmpl 2" in e.fields]
    keys = found.select("kvm_set_irq", contains="gsi 1 level 1")
    assert entries[0].seq < keys[0].seq
    assert found.irqs("keyboard:2") == {(KEYBOARD, 0): 2}


def test_restart_takes_a_cpu_down_and_up_through_the_svsm(boot: Boot) -> None:
    found = boot(2, "run=restart:3;calls:5")
    assert found.status == 33, found.report
    assert found.calls("restart:3") == {0: (6, 6, 6)}
    assert len(found.select("kvm_vmgexit_enter", "restart:3", "exit_reason 80000013, exit_info1 100020001")) == 3
    assert len(found.select("kvm_vmgexit_enter", "restart:3", "exit_reason 80000013, exit_info1 100020002")) == 3
    assert found.switches("calls:5") == {(cpu, *way): 5 for cpu in (0, 1) for way in ((2, 0), (0, 2))}


@pytest.mark.parametrize("flavour", ["roy", "planes-v1", "tom"])
def test_wrong_requests_get_their_architected_errors(boot: Boot, flavour: str) -> None:
    found = boot(2, f"flavour={flavour} run=errors:1;calls:2")
    assert "# error " not in found.report
    assert found.status == 33, found.report
    # Answered with an error code is answered; nothing that was refused switched anything.
    assert found.calls("errors:1") == {0: (8, 8, 0)}
    answers = [e.fields for e in found.select("kvm_vmgexit_exit", "errors:1")]
    for reason in (1, 2, 3, 4, 5, 6):
        assert any(text.endswith(f"exit_info1 2, exit_info2 {reason}") for text in answers), reason
    assert any(", exit_info1 1, exit_info2 80000b0d" in text for text in answers)
    unknown = found.select("kvm_vmgexit_msr_protocol_exit", "errors:1", "ghcb_gpa 00000000000007ff")
    assert len(unknown) == 1
    if flavour == "roy":
        assert found.switches("errors:1") == {(0, 2, 0): 8, (0, 0, 2): 8}
