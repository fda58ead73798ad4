"""Write traces of any length that look like a real one: SVSM calls, IRQs, IPIs and halts on several vCPUs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Machine:
    """Play the host of one VM of the per-VMPL-vcpu flavour, line by line."""

    vcpus: int = 2
    seed: int = 1
    numbered: bool = False
    now_us: int = 1_374_540_635
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.vmpl = [2] * self.vcpus
        self.sequence = [0] * self.vcpus

    def line(self, vcpu: int, event: str, text: str) -> str:
        self.now_us += self.random.randrange(1, 9)
        self.counts[event] = self.counts.get(event, 0) + 1
        name = f"CPU {vcpu}/KVM"
        head = f"{name:>16}-{1000 + vcpu:<7d} [{vcpu:03d}] d..1. "
        stamp = f"{self.now_us // 1_000_000:5d}.{self.now_us % 1_000_000:06d}: "
        tail = ""
        if self.numbered:
            self.sequence[vcpu] += 1
            tail = f" seq={vcpu}:{self.sequence[vcpu]}"
        return f"{head}{stamp}{event}: {text}{tail}\n"

    def exit_(self, vcpu: int, reason: str = "vmgexit") -> str:
        zero = "0" * 16
        return self.line(
            vcpu,
            "kvm_exit",
            f"vcpu {vcpu} reason {reason} rip 0x0 info1 0x{zero} info2 0x{zero} intr_info 0x00000000 "
            f"error_code 0x00000000",
        )

    def entry(self, vcpu: int) -> str:
        vmpl = self.vmpl[vcpu]
        text = f"vcpu {vcpu}, rip 0x0, vcpu_vmpl {vmpl}, current_vmpl {vmpl}, target_vmpl {vmpl}"
        return self.line(vcpu, "kvm_entry", text)

    def switch(self, vcpu: int, to: int) -> str:
        old, self.vmpl[vcpu] = self.vmpl[vcpu], to
        text = f"vcpu {vcpu}: current_vmpl {old}, target vtl {to}"
        return self.line(vcpu, "kvm_arch_vcpu_ioctl_run_vtl_switch", text)

    def svsm_call(self, vcpu: int) -> Iterator[str]:
        yield self.exit_(vcpu)
        run = f"vcpu {vcpu}, exit_reason 80000018, exit_info1 0, exit_info2 0"
        yield self.line(vcpu, "kvm_vmgexit_enter", run)
        yield self.line(vcpu, "kvm_vmgexit_exit", run)
        yield self.switch(vcpu, 0)
        yield self.entry(vcpu)
        yield self.exit_(vcpu)
        yield self.line(vcpu, "kvm_vmgexit_msr_protocol_enter", f"vcpu {vcpu}, ghcb_gpa 0000000200000016")
        yield self.line(vcpu, "kvm_vmgexit_msr_protocol_exit", f"vcpu {vcpu}, ghcb_gpa 0000000000000017, result 1")
        yield self.switch(vcpu, 2)
        yield self.entry(vcpu)

    def interrupt(self, vcpu: int) -> Iterator[str]:
        vector = self.random.choice((34, 49, 236, 251))
        yield self.line(vcpu, "kvm_msi_set_irq", f"dst {vcpu:x} vec {vector} (Fixed|physical|edge)")
        yield self.line(vcpu, "kvm_apic_accept_irq", f"apicid {vcpu:x} vec {vector} (Fixed|edge)")
        yield self.exit_(vcpu, "interrupt")
        yield self.line(vcpu, "kvm_inj_virq", f"IRQ 0x{vector:x}")
        yield self.entry(vcpu)
        yield self.line(vcpu, "kvm_eoi", f"apicid {vcpu:x} vector {vector}")

    def idle(self, vcpu: int) -> Iterator[str]:
        yield self.exit_(vcpu, "hlt")
        yield self.line(vcpu, "kvm_halt_poll_ns", f"vcpu {vcpu}: halt_poll_ns 10000 (grow 0)")
        yield self.line(vcpu, "kvm_vcpu_wakeup", "wait time 4023 ns, polling valid")
        yield self.entry(vcpu)

    def lines(self) -> Iterator[str]:
        acts = (self.svsm_call, self.svsm_call, self.interrupt, self.idle)
        while True:
            yield from self.random.choice(acts)(self.random.randrange(self.vcpus))


def write_chunks(lines: int, *, vcpus: int = 2, numbered: bool = False, block_lines: int = 4096) -> Iterator[bytes]:
    """Yield ``lines`` lines in chunks that end anywhere in a line."""
    source = Machine(vcpus=vcpus, numbered=numbered).lines()
    left = lines
    rest = b""
    while left > 0:
        count = min(left, block_lines)
        block = rest + "".join(next(source) for _ in range(count)).encode()
        left -= count
        cut = len(block) if left == 0 else len(block) - 17
        yield block[:cut]
        rest = block[cut:]
