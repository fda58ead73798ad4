"""Write small traces of the VMPL model and reports of its guest by hand, and read them into facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.evidence.ktap import parse_ktap
from harness.evidence.subresults import Report
from harness.evidence.trace import TraceFacts, read_trace

Event = tuple[int, str, str]


def text_of(events: Iterable[Event], flavour: str = "roy", *, step_us: int = 1, end: bool = True) -> bytes:
    """Write (vcpu, event, text) tuples as the model does: a header, a numbered line each, and the count at the end."""
    lines = [f"# vmpl_model flavour={flavour} guest_vmpl=2 vcpus=2 tsc_khz=2000000 channel=virtio"]
    numbers = [0, 0]
    listed = list(events)
    if end:
        listed.append((0, "vmpl_model_trace_end", f"lines={len(listed)}"))
    for at, (vcpu, event, text) in enumerate(listed):
        stamp = f"{1 + at * step_us // 1_000_000}.{at * step_us % 1_000_000:06d}"
        sequence = f"seq={vcpu}:{numbers[vcpu]}"
        lines.append(f"             CPU-{10000 + vcpu}   [{vcpu:03d}] d.... {stamp:>12}: {event}: {text} {sequence}")
        numbers[vcpu] += 1
    return ("\n".join(lines) + "\n").encode()


def facts(events: Iterable[Event], flavour: str = "roy", *, step_us: int = 1, end: bool = True) -> TraceFacts:
    """Read a trace of two vCPUs; it is whole unless ``end`` is False."""
    return read_trace([text_of(events, flavour, step_us=step_us, end=end)], 2)


def entry(vcpu: int, vmpl: int | None = 2) -> Event:
    """Enter a VMPL, which planes-v1 (None) does not print."""
    tail = "" if vmpl is None else f", vcpu_vmpl {vmpl}, current_vmpl {vmpl}, target_vmpl {vmpl}"
    return vcpu, "kvm_entry", f"vcpu {vcpu}, rip 0x0{tail}"


def mark(step: str, edge: str) -> Event:
    """Mark the edge of a step."""
    return 0, "vmpl_model_mark", f"step={step} {edge}"


def within(step: str, events: Iterable[Event]) -> list[Event]:
    """Put events into a step."""
    return [mark(step, "begin"), *events, mark(step, "end")]


def switch(vcpu: int, old: int, new: int) -> Event:
    """Switch as roy prints it."""
    return vcpu, "kvm_arch_vcpu_ioctl_run_vtl_switch", f"vcpu {vcpu}: current_vmpl {old}, target vtl {new}"


def ask_down(vcpu: int) -> list[Event]:
    """Let the guest ask for VMPL0."""
    request = f"vcpu {vcpu}, exit_reason 80000018, exit_info1 0, exit_info2 0"
    return [(vcpu, "kvm_vmgexit_enter", request), (vcpu, "kvm_vmgexit_exit", request)]


def ask_up(vcpu: int, error: int = 0) -> list[Event]:
    """Let the SVSM ask for VMPL2; an ``error`` refuses."""
    return [
        (vcpu, "kvm_vmgexit_msr_protocol_enter", f"vcpu {vcpu}, ghcb_gpa 0000000200000016"),
        (vcpu, "kvm_vmgexit_msr_protocol_exit", f"vcpu {vcpu}, ghcb_gpa {error << 32 | 0x17:016x}, result 1"),
    ]


def call(vcpu: int) -> list[Event]:
    """Make one SVSM call, down and back."""
    return [*ask_down(vcpu), switch(vcpu, 2, 0), entry(vcpu, 0), *ask_up(vcpu), switch(vcpu, 0, 2), entry(vcpu, 2)]


def start(vcpu: int) -> list[Event]:
    """Start a vCPU in VMPL0 and let it go up."""
    return [entry(vcpu, 0), *ask_up(vcpu), switch(vcpu, 0, 2), entry(vcpu, 2)]


def key(on: int = 0, *, to: int = 0, accepted: Sequence[int] = (0,)) -> list[Event]:
    """Raise the keyboard's pin for the vCPU ``to``; ``accepted`` are the vCPUs whose APIC took it."""
    return [
        (on, "kvm_set_irq", "gsi 1 level 1 source 0"),
        *((on, "kvm_apic_accept_irq", f"apicid {vcpu:x} vec 49 (Fixed|edge)") for vcpu in accepted),
        (on, "kvm_ioapic_set_irq", f"pin 1 dst {to:x} vec 49 (Fixed|physical|edge)"),
    ]


def ipi(to: int, accepted: Sequence[int] | None = None) -> list[Event]:
    """Send vector 0x41 from vCPU 0."""
    vcpus = (to,) if accepted is None else accepted
    return [
        (0, "kvm_apic_ipi", f"dst {to:x} vec 65 (Fixed|physical|assert|edge|dst)"),
        *((0, "kvm_apic_accept_irq", f"apicid {vcpu:x} vec 65 (Fixed|edge)") for vcpu in vcpus),
    ]


def timer(vcpu: int) -> Event:
    """Let the vCPU's own timer fire (0x30)."""
    return vcpu, "kvm_apic_accept_irq", f"apicid {vcpu:x} vec 48 (Fixed|edge)"


def nmi(vcpu: int) -> Event:
    """Let a vCPU accept an NMI."""
    return 0, "kvm_apic_accept_irq", f"apicid {vcpu:x} vec 2 (NMI|edge)"


def deliver(vcpu: int, vector: int, vmpl: int | None = 2) -> list[Event]:
    """Inject a vector, enter, and end it."""
    return [
        (vcpu, "kvm_inj_virq", f"IRQ 0x{vector:x}"),
        entry(vcpu, vmpl),
        (vcpu, "kvm_eoi", f"apicid {vcpu:x} vector {vector}"),
    ]


def report(*steps: tuple[str, str], totals: str = "", plan: int | None = None, failed: Sequence[str] = ()) -> Report:
    """Read a KTAP report: a name and its diagnostic lines for each step, then the totals."""
    lines = ["KTAP version 1", f"1..{len(steps) if plan is None else plan}"]
    for number, (name, diagnostics) in enumerate(steps, start=1):
        lines += [f"# {line}" for line in diagnostics.splitlines()]
        lines.append(f"{'not ok' if name in failed else 'ok'} {number} {name}")
    lines += [f"# total {line}" for line in totals.splitlines()]
    return parse_ktap([("\n".join(lines) + "\n").encode()])


def calls(made: int, answered: int | None = None, cpu: int = 0) -> str:
    """Write the guest's own count of its calls."""
    done = made if answered is None else answered
    return f"calls made={made} answered={done} succeeded={done} cpu={cpu}"


def counted(vector: int, count: int, cpu: int = 0) -> str:
    """Write the guest's own count of an interrupt."""
    return f"irq vector=0x{vector:x} cpu={cpu} count={count}"
