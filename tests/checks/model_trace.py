"""Write the trace of a small boot of the VMPL model, line by line, and read it into evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sample_facts import evidence

from harness.checks.base import Check, Status, Verdict
from harness.evidence.ktap import parse_ktap
from harness.evidence.trace import TraceFacts, read_trace

Event = tuple[int, str, str]  # vCPU, event, what it prints


def entry(vcpu: int, vmpl: int) -> Event:
    return vcpu, "kvm_entry", f"vcpu {vcpu}, rip 0x0, vcpu_vmpl {vmpl}, current_vmpl {vmpl}, target_vmpl {vmpl}"


def down(vcpu: int = 0) -> list[Event]:
    """An SVSM call: from the guest's VMPL 2 to VMPL 0."""
    nae = f"vcpu {vcpu}, exit_reason 80000018, exit_info1 0, exit_info2 0"
    return [
        (vcpu, "kvm_vmgexit_enter", nae),
        (vcpu, "kvm_vmgexit_exit", nae),
        (vcpu, "kvm_arch_vcpu_ioctl_run_vtl_switch", f"vcpu {vcpu}: current_vmpl 2, target vtl 0"),
        entry(vcpu, 0),
    ]


def up(vcpu: int = 0) -> list[Event]:
    """The way back."""
    return [
        (vcpu, "kvm_vmgexit_msr_protocol_enter", f"vcpu {vcpu}, ghcb_gpa 0000000200000016"),
        (vcpu, "kvm_vmgexit_msr_protocol_exit", f"vcpu {vcpu}, ghcb_gpa 0000000000000017, result 1"),
        (vcpu, "kvm_arch_vcpu_ioctl_run_vtl_switch", f"vcpu {vcpu}: current_vmpl 0, target vtl 2"),
        entry(vcpu, 2),
    ]


def call(vcpu: int = 0) -> list[Event]:
    return [*down(vcpu), *up(vcpu)]


def irq(vcpu: int = 0, vector: int = 49, vmpl: int = 2, *, accepted_by: int | None = None) -> list[Event]:
    """An MSI that is raised for a vCPU, accepted, injected and ended."""
    on = vcpu if accepted_by is None else accepted_by
    return [
        (vcpu, "kvm_msi_set_irq", f"dst {vcpu:x} vec {vector} (Fixed|physical|edge)"),
        (on, "kvm_apic_accept_irq", f"apicid {on:x} vec {vector} (Fixed|edge)"),
        (on, "kvm_inj_virq", f"IRQ 0x{vector:x}"),
        entry(on, vmpl),
        (on, "kvm_eoi", f"apicid {on:x} vector {vector}"),
    ]


def step(name: str, events: Sequence[Event]) -> list[Event]:
    return [(0, "vmpl_model_mark", f"step={name} begin"), *events, (0, "vmpl_model_mark", f"step={name} end")]


def text(events: Iterable[Event], *, header: str = "flavour=roy guest_vmpl=2 vcpus=2", ended: bool = True) -> bytes:
    """Render as the model does: a microsecond apart, numbered, with a last line that counts them."""
    rows = [f"# vmpl_model {header} tsc_khz=1000000"]
    numbers: dict[int, int] = {}
    for at_us, (vcpu, event, body) in enumerate(events, start=1):
        number = numbers.setdefault(vcpu, 0)
        numbers[vcpu] += 1
        rows.append(_row(vcpu, at_us, f"{event}: {body} seq={vcpu}:{number}"))
    if ended:
        lines = sum(numbers.values())
        rows.append(_row(0, 900_000, f"vmpl_model_trace_end: lines={lines} seq=0:{numbers.get(0, 0)}"))
    return "".join(f"{row}\n" for row in rows).encode()


def _row(vcpu: int, at_us: int, what: str) -> str:
    return f"{'CPU':>16}-{10000 + vcpu} [{vcpu:03d}] d....     0.{at_us:06d}: {what}"


def trace(events: Iterable[Event], **how: Any) -> TraceFacts:
    return read_trace([text(events, **how)], 2)


def judge(check: Check, found: TraceFacts | None, report: str | None = None, **facts: Any) -> Verdict:
    """Judge a trace, beside what the guest reported (KTAP)."""
    parsed = None if report is None else parse_ktap([report.encode()])
    return check.judge(evidence(trace=found, report=parsed, **facts))


def expect(check: Check, status: Status, *operands: str, **how: Any) -> Verdict:
    """Judge, and look for the operands in the reason."""
    verdict = judge(check, **how)
    assert (verdict.check, verdict.status) == (check.key, status), verdict
    for operand in operands:
        assert operand in verdict.reason, verdict.reason
    return verdict
