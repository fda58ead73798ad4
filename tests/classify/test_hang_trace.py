from __future__ import annotations

from checks.model_trace import Event, call, down, entry, irq, trace

from harness.classify.hang_trace import live_lock, lost_wakeup, never_entered, vmpl_at_end

REFUSED: list[Event] = [
    (0, "kvm_vmgexit_msr_protocol_enter", "vcpu 0, ghcb_gpa 0000000200000016"),
    (0, "kvm_vmgexit_msr_protocol_exit", "vcpu 0, ghcb_gpa 0000000100000017, result 1"),
    entry(0, 0),
]
CREATE: list[Event] = [
    (0, "kvm_vmgexit_enter", "vcpu 0, exit_reason 80000013, exit_info1 100020001, exit_info2 1000"),
    (0, "kvm_vmgexit_exit", "vcpu 0, exit_reason 80000013, exit_info1 0, exit_info2 0"),
]
START = [entry(0, 0), *call()]


def test_a_switch_that_is_refused_for_ever_is_a_live_lock() -> None:
    found = live_lock(trace([*START, *down(), *REFUSED * 300], ended=False))
    assert found is not None and "to run VMPL2" in found


def test_what_was_refused_early_and_went_on_is_none() -> None:
    assert live_lock(trace([*START, *down(), *REFUSED * 50, *[e for _ in range(500) for e in call()]])) is None


def test_work_between_vmpls_is_none() -> None:
    assert live_lock(trace([entry(0, 0), *[e for _ in range(900) for e in call()]], ended=False)) is None


def test_a_vcpu_that_was_created_and_never_entered() -> None:
    assert never_entered(trace([*START, *CREATE])) == ("the vCPU with APIC id 1 was created at VMPL2 and never entered")
    assert never_entered(trace([*START, *CREATE, entry(1, 2)])) is None


def test_an_interrupt_that_was_accepted_and_not_delivered() -> None:
    found = lost_wakeup(trace([*START, *irq()[:2]], ended=False), (0,))
    assert found == "the MSI vector 0x31 was accepted by vCPU 0 and never delivered"
    assert lost_wakeup(trace([*START, *irq()]), (0,)) is None
    # A vCPU that runs may hold it back by itself.
    assert lost_wakeup(trace([*START, *irq()[:2]], ended=False), ()) is None


def test_an_interrupt_that_no_apic_accepted() -> None:
    found = lost_wakeup(trace([*START, irq()[0], *call()]), (0,))
    assert found == "the MSI vector 0x31 was raised and no local APIC accepted it"


def test_the_vmpl_that_ran_last() -> None:
    assert vmpl_at_end(trace([*START, *down()], ended=False), 0) == 0
    assert vmpl_at_end(trace(START), 0) == 2
    assert vmpl_at_end(trace(START), 1) is None


def test_without_a_trace_nothing_is_said() -> None:
    assert live_lock(None) is never_entered(None) is lost_wakeup(None, (0,)) is vmpl_at_end(None, 0) is None
