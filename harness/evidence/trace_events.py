"""Name the fields of each trace event, as typed values.

The names are the words that the tracepoint prints. A field that only some flavours print is None where the line does
not have it. ``extra`` keeps every ``key value`` pair that no known flavour prints. Numbers are ints whatever base the
kernel printed them in. Sources: Linux arch/x86/kvm/trace.h and include/trace/events/kvm.h in 6.12, 6.18 and 7.3; the
per-VMPL-vcpu series for ``vcpu_vmpl`` and ``kvm_arch_vcpu_ioctl_run_vtl_switch``; coconut-svsm/linux
svsm-planes-v6.17 for ``plane``.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.evidence.trace_events_host import Extra, HostFields

__all__ = [
    "AcceptIrq",
    "AckIrq",
    "ApicIpi",
    "DelayedEoi",
    "Eoi",
    "Extra",
    "Fields",
    "InjectException",
    "InjectVirq",
    "IoapicSetIrq",
    "KvmEntry",
    "KvmExit",
    "Mark",
    "MsiSetIrq",
    "MsrProtocolEnter",
    "MsrProtocolExit",
    "PicSetIrq",
    "RawText",
    "Rdh2",
    "SetIrq",
    "TraceEnd",
    "UserspaceExit",
    "Vmgexit",
    "VtlSwitch",
]


class KvmEntry(NamedTuple):
    """``kvm_entry``; the three VMPLs are printed by the per-VMPL-vcpu series only, ``intr_info`` since 7.x."""

    vcpu: int
    rip: int
    intr_info: int | None = None
    error_code: int | None = None
    immediate_exit: bool = False
    vcpu_vmpl: int | None = None
    current_vmpl: int | None = None
    target_vmpl: int | None = None
    extra: Extra = ()


class KvmExit(NamedTuple):
    """``kvm_exit``; ``reason`` is the printed word (``vmgexit``), rip means nothing for an SNP guest."""

    vcpu: int
    reason: str
    rip: int
    info1: int
    info2: int
    intr_info: int | None = None
    error_code: int | None = None
    requests: int | None = None
    extra: Extra = ()


class Vmgexit(NamedTuple):
    """``kvm_vmgexit_enter`` and ``kvm_vmgexit_exit``: one GHCB request by NAE event; all three printed in bare hex."""

    vcpu: int
    exit_reason: int
    exit_info1: int
    exit_info2: int
    extra: Extra = ()


class MsrProtocolEnter(NamedTuple):
    """``kvm_vmgexit_msr_protocol_enter``: the GHCB MSR's value as written by the guest."""

    vcpu: int
    ghcb_gpa: int
    extra: Extra = ()


class MsrProtocolExit(NamedTuple):
    """``kvm_vmgexit_msr_protocol_exit``: the MSR's value that the guest will read, and KVM's own result."""

    vcpu: int
    ghcb_gpa: int
    result: int
    extra: Extra = ()


class VtlSwitch(NamedTuple):
    """``kvm_arch_vcpu_ioctl_run_vtl_switch``: one completed in-kernel switch, either direction."""

    vcpu: int
    current_vmpl: int
    target_vmpl: int
    extra: Extra = ()


class Rdh2(NamedTuple):
    """``kvm_rdh2``: a debugging event of the per-VMPL-vcpu series; 0xffffffff where it had no vCPU."""

    msg: str
    vcpu: int
    vcpu_vmpl: int
    current_vmpl: int
    target_vmpl: int
    extra: Extra = ()


class InjectVirq(NamedTuple):
    """``kvm_inj_virq``: has no vCPU; who it was is known by the line's PID."""

    kind: str
    vector: int
    reinjected: bool = False
    extra: Extra = ()


class InjectException(NamedTuple):
    """``kvm_inj_exception``: the whole text, such as ``#PF (0x2)``."""

    exception: str
    reinjected: bool = False
    extra: Extra = ()


class AcceptIrq(NamedTuple):
    """``kvm_apic_accept_irq``: a local APIC took a vector; ``apicid`` is the vCPU id, ``plane`` of planes-6.17 only."""

    apicid: int
    vec: int
    mode: str
    trigger: str
    plane: int | None = None
    extra: Extra = ()


class MsiSetIrq(NamedTuple):
    """``kvm_msi_set_irq``; ``plane`` is printed by planes-6.17 only."""

    dst: int
    vec: int
    mode: str
    destination: str
    trigger: str
    redirection_hint: bool = False
    plane: int | None = None
    extra: Extra = ()


class IoapicSetIrq(NamedTuple):
    """``kvm_ioapic_set_irq``; ``coalesced``: the line was already pending, so this one is not delivered by itself."""

    pin: int
    dst: int
    vec: int
    mode: str
    destination: str
    trigger: str
    masked: bool = False
    coalesced: bool = False
    extra: Extra = ()


class DelayedEoi(NamedTuple):
    """``kvm_ioapic_delayed_eoi_inj``."""

    dst: int
    vec: int
    mode: str
    destination: str
    trigger: str
    masked: bool = False
    extra: Extra = ()


class SetIrq(NamedTuple):
    """``kvm_set_irq``: a GSI changed its level."""

    gsi: int
    level: int
    source: int
    extra: Extra = ()


class PicSetIrq(NamedTuple):
    """``kvm_pic_set_irq``."""

    chip: int
    pin: int
    trigger: str
    masked: bool = False
    coalesced: bool = False
    extra: Extra = ()


class ApicIpi(NamedTuple):
    """``kvm_apic_ipi``: an ICR write; ``shorthand`` is dst, self, all or all-but-self."""

    dst: int
    vec: int
    mode: str
    destination: str
    assertion: str
    trigger: str
    shorthand: str
    extra: Extra = ()


class Eoi(NamedTuple):
    """``kvm_eoi`` and ``kvm_pv_eoi``; vector -1: the guest wrote EOI with nothing in service."""

    apicid: int
    vector: int
    extra: Extra = ()


class AckIrq(NamedTuple):
    """``kvm_ack_irq``; ``irqchip`` as printed: ``IOAPIC``, ``PIC master``, ``PIC slave`` or a number."""

    irqchip: str
    pin: int
    extra: Extra = ()


class UserspaceExit(NamedTuple):
    """``kvm_userspace_exit``: KVM_RUN returned; ``reason`` as printed, ``code`` its number (or the error)."""

    reason: str
    code: int
    extra: Extra = ()


class Mark(NamedTuple):
    """``vmpl_model_mark``, or a line that somebody wrote to ``trace_marker``: a step begins or ends."""

    step: str
    edge: str
    extra: Extra = ()


class TraceEnd(NamedTuple):
    """``vmpl_model_trace_end`` and ``vmpl_model_trace_limit``: how many lines the model wrote before this one."""

    lines: int
    extra: Extra = ()


class RawText(NamedTuple):
    """Any event that has no entry above: its pairs in ``extra``, its text as printed."""

    text: str
    extra: Extra = ()


Fields = (
    KvmEntry
    | KvmExit
    | Vmgexit
    | MsrProtocolEnter
    | MsrProtocolExit
    | VtlSwitch
    | Rdh2
    | InjectVirq
    | InjectException
    | AcceptIrq
    | MsiSetIrq
    | IoapicSetIrq
    | DelayedEoi
    | SetIrq
    | PicSetIrq
    | ApicIpi
    | Eoi
    | AckIrq
    | UserspaceExit
    | Mark
    | TraceEnd
    | RawText
    | HostFields
)
