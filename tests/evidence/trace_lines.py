"""Write small traces by hand: one tuple an event, one microsecond apart unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from harness.evidence.ftrace import Decoder, Record
from harness.evidence.trace_text import KNOWN_EVENTS

Event = tuple[int, str, str]


def records(events: Iterable[Event], step_us: int = 1) -> list[Record]:
    """Decode (vcpu, event, text) tuples as if vCPU n were thread 1000+n on host CPU n; the trace must be good."""
    text = "".join(
        f"{f'CPU {vcpu}/KVM':>16}-{1000 + vcpu:<7d} [{vcpu:03d}] d..1. {1 + number * step_us // 1_000_000:5d}"
        f".{number * step_us % 1_000_000:06d}: {event}: {body}\n"
        for number, (vcpu, event, body) in enumerate(events)
    )
    decoder = Decoder(KNOWN_EVENTS)
    found = list(decoder.records([text.encode()]))
    assert decoder.integrity().flaws == (), decoder.integrity().reasons
    return found


def entry(vcpu: int, vmpl: int | None = None) -> Event:
    tail = "" if vmpl is None else f", vcpu_vmpl {vmpl}, current_vmpl {vmpl}, target_vmpl {vmpl}"
    return vcpu, "kvm_entry", f"vcpu {vcpu}, rip 0x0{tail}"


def nae(vcpu: int, to: int = 0) -> Event:
    return vcpu, "kvm_vmgexit_enter", f"vcpu {vcpu}, exit_reason 80000018, exit_info1 {to:x}, exit_info2 0"


def nae_exit(vcpu: int, error: int = 0) -> Event:
    return vcpu, "kvm_vmgexit_exit", f"vcpu {vcpu}, exit_reason 80000018, exit_info1 {error:x}, exit_info2 0"


def msr(vcpu: int, to: int = 2) -> Event:
    return vcpu, "kvm_vmgexit_msr_protocol_enter", f"vcpu {vcpu}, ghcb_gpa {to << 32 | 0x16:016x}"


def msr_exit(vcpu: int, value: int = 0x17) -> Event:
    return vcpu, "kvm_vmgexit_msr_protocol_exit", f"vcpu {vcpu}, ghcb_gpa {value:016x}, result 1"


def switch(vcpu: int, old: int, new: int) -> Event:
    return vcpu, "kvm_arch_vcpu_ioctl_run_vtl_switch", f"vcpu {vcpu}: current_vmpl {old}, target vtl {new}"


def inject(vcpu: int, vector: int) -> Event:
    return vcpu, "kvm_inj_virq", f"IRQ 0x{vector:x}"


def accept(on: int, vcpu: int, vector: int, mode: str = "Fixed") -> Event:
    return on, "kvm_apic_accept_irq", f"apicid {vcpu:x} vec {vector} ({mode}|edge)"


def mark(step: str, edge: str, vcpu: int = 0) -> Event:
    return vcpu, "vmpl_model_mark", f"step={step} {edge}"


def ap_create(on: int, vcpu: int, vmpl: int, kind: int = 1) -> Event:
    info1 = vcpu << 32 | vmpl << 16 | kind
    return on, "kvm_vmgexit_enter", f"vcpu {on}, exit_reason 80000013, exit_info1 {info1:x}, exit_info2 1000"


def roy_down(vcpu: int = 0) -> list[Event]:
    return [nae(vcpu), nae_exit(vcpu), switch(vcpu, 2, 0), entry(vcpu, 0)]


def roy_up(vcpu: int = 0) -> list[Event]:
    return [msr(vcpu), msr_exit(vcpu), switch(vcpu, 0, 2), entry(vcpu, 2)]


def planes_call(vcpu: int = 0) -> list[Event]:
    """One SVSM call: the guest's GHCB is unmapped right before the guest runs again."""
    return [nae(vcpu), entry(vcpu), msr(vcpu), msr_exit(vcpu), nae_exit(vcpu), entry(vcpu)]
