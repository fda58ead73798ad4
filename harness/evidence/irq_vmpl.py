"""Infer which VMPL an injected vector was for, where no tracepoint says so.

The rule is the flavour's (:class:`~harness.evidence.flavour.IrqVmpl`). All of it is inference from what is entered or
asked next on the same vCPU [INF]; what stays ambiguous stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.evidence.flavour import FlavourRules, IrqVmpl
from harness.evidence.ftrace import Record
from harness.evidence.irq import Basis
from harness.evidence.trace_events import KvmEntry, MsrProtocolEnter, MsrProtocolExit, Vmgexit

__all__ = ["VmplGuess"]

_RUN_VMPL = 0x80000018
_MSR_VMPL_REQ = 0x016
_MSR_VMPL_RESP = 0x017

_REASONS = {
    IrqVmpl.FIELD: "the vector was injected without an acceptance that states its plane",
    IrqVmpl.NEXT_ENTRY: "no kvm_entry with vcpu_vmpl follows the injection",
    IrqVmpl.REQUESTS: "VMPL0 ran without a request, and more than one vector was injected since the last one",
    IrqVmpl.SHARED: "this flavour has one APIC for all VMPLs, so a vector has no VMPL",
}


@dataclass(slots=True)
class _Vcpu:
    waiting: list[int] = field(default_factory=list)
    # Who must be running after the last Run-VMPL request; None: not known yet.
    running: int | None = None
    asker: int | None = None


class VmplGuess:
    """Collect injections and give each a VMPL once something shows it.

    ``found`` maps the number that :meth:`injected` was given to (VMPL or None, basis).
    """

    def __init__(self, rules: FlavourRules, guest_vmpl: int) -> None:
        """Start with nothing known; ``guest_vmpl`` is the guest's."""
        self._rule = rules.irq_vmpl
        self._guest_vmpl = guest_vmpl
        self._vcpus: dict[int, _Vcpu] = {}
        self.found: dict[int, tuple[int | None, Basis]] = {}
        self.reason = _REASONS[rules.irq_vmpl]

    def injected(self, vcpu: int, number: int) -> None:
        """Remember that injection ``number`` happened on ``vcpu`` now."""
        if self._rule in (IrqVmpl.SHARED, IrqVmpl.FIELD):
            self.found[number] = (None, Basis.UNKNOWN)
        else:
            self._vcpu(vcpu).waiting.append(number)

    def take(self, record: Record) -> None:
        """Look at an entry or at a Run-VMPL request and its answer."""
        fields = record.fields
        if self._rule is IrqVmpl.NEXT_ENTRY:
            if isinstance(fields, KvmEntry) and fields.vcpu_vmpl is not None:
                state = self._vcpus.get(fields.vcpu)
                if state is not None and state.waiting:
                    self._settle(state, fields.vcpu_vmpl)
        elif self._rule is IrqVmpl.REQUESTS:
            if isinstance(fields, MsrProtocolEnter) and fields.ghcb_gpa & 0xFFF == _MSR_VMPL_REQ:
                self._asked(fields.vcpu, fields.ghcb_gpa >> 32 & 0xFF)
            elif isinstance(fields, MsrProtocolExit):
                state = self._vcpu(fields.vcpu)
                if fields.ghcb_gpa & 0xFFF == _MSR_VMPL_RESP and fields.ghcb_gpa >> 32:
                    state.running = state.asker
            elif isinstance(fields, Vmgexit) and fields.exit_reason == _RUN_VMPL and record.event.endswith("enter"):
                self._asked(fields.vcpu, fields.exit_info1 & 0xFF)

    def finish(self) -> None:
        """Settle what is left at the end of the trace: it went to whom the last request made run."""
        for state in self._vcpus.values():
            self._settle(state, state.running if self._rule is IrqVmpl.REQUESTS else None)

    def _vcpu(self, vcpu: int) -> _Vcpu:
        state = self._vcpus.get(vcpu)
        if state is None:
            state = self._vcpus[vcpu] = _Vcpu()
        return state

    def _asked(self, vcpu: int, to_vmpl: int) -> None:
        state = self._vcpu(vcpu)
        asker = 0 if to_vmpl else self._guest_vmpl
        if state.running in (None, asker) or len(state.waiting) == 1:
            # With one vector, it is the one that made KVM run VMPL0 without a request.
            self._settle(state, asker)
        else:
            self._settle(state, None)
        state.asker, state.running = asker, to_vmpl

    def _settle(self, state: _Vcpu, vmpl: int | None) -> None:
        basis = Basis.UNKNOWN if vmpl is None else Basis.INFERRED
        for number in state.waiting:
            self.found[number] = (vmpl, basis)
        state.waiting = []
