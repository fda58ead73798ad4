"""Build the facts about VMPL switches from the records of a trace, by the rules of its flavour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.evidence.flavour import Completion, FlavourRules, MsrAnswer
from harness.evidence.ftrace import Record
from harness.evidence.probe_marks import PROBE_MARK
from harness.evidence.steps import Window, windows_from_marks
from harness.evidence.trace_events import (
    AcceptIrq,
    InjectVirq,
    KvmEntry,
    Mark,
    MsrProtocolEnter,
    MsrProtocolExit,
    Vmgexit,
    VtlSwitch,
)
from harness.evidence.vmpl import ApStart, Cause, Channel, LiveLock, Outcome, Request, Switch, SwitchFacts, VcpuSpan

__all__ = ["LIVE_LOCK_REPEATS", "SWITCH_EVENTS", "SwitchFold", "fold_switches"]

SWITCH_EVENTS = frozenset(
    {
        "kvm_entry",
        "kvm_vmgexit_enter",
        "kvm_vmgexit_exit",
        "kvm_vmgexit_msr_protocol_enter",
        "kvm_vmgexit_msr_protocol_exit",
        "kvm_arch_vcpu_ioctl_run_vtl_switch",
        "kvm_inj_virq",
        "kvm_apic_accept_irq",
        "vmpl_model_mark",
        "tracing_mark_write",
        PROBE_MARK,
    }
)

#: As many requests in vain without one that succeeds are called a live-lock.
LIVE_LOCK_REPEATS = 8

# GHCB specification: NAE events and the MSR protocol's GHCBInfo values.
_RUN_VMPL = 0x80000018
_AP_CREATION = 0x80000013
_AP_CREATE_KINDS = {0: "create on init", 1: "create"}
_MSR_VMPL_REQ = 0x016
_MSR_VMPL_RESP = 0x017


# A request whose outcome is not known yet.
@dataclass(slots=True)
class _Open:
    line: int
    at: int
    from_vmpl: int | None
    to_vmpl: int
    channel: Channel
    outcome: Outcome = Outcome.OPEN
    error: int | None = None
    answered_at: int | None = None


# What is known of one vCPU. `vmpl` is None until something shows it.
@dataclass(slots=True)
class _Vcpu:
    vmpl: int | None = None
    request: _Open | None = None
    # Interrupts that this vCPU got since its last request: what may have forced KVM to run VMPL0.
    events_since: int = 0
    vain: list[_Open] = field(default_factory=list)
    first_at: int | None = None
    last_at: int = 0


class SwitchFold:
    """Take the records of a trace one by one, in the order of time within each vCPU; then ask for the facts.

    Records of different vCPUs may come in any order, except that an AP is created before it runs. ``guest_vmpl`` is
    the VMPL of the guest where the trace does not say (COCONUT: 2). ``pid_to_vcpu`` may name vCPU threads.
    """

    def __init__(self, rules: FlavourRules, guest_vmpl: int = 2, pid_to_vcpu: dict[int, int] | None = None) -> None:
        """Start with nothing known."""
        self._rules = rules
        self._guest_vmpl = guest_vmpl
        self._pids = dict(pid_to_vcpu or {})
        self._vcpus: dict[int, _Vcpu] = {}
        self._requests: list[tuple[int, _Open]] = []
        self._switches: list[Switch] = []
        # Positions in _switches whose VMPL was not entered yet, by vCPU.
        self._unentered: dict[int, int] = {}
        self._aps: list[ApStart] = []
        self._waiting_aps = 0
        self._locks: list[LiveLock] = []
        self._marks: list[Record] = []
        self._notes: dict[str, int] = {}

    def take(self, record: Record) -> None:
        """Look at one record; those of other events are ignored."""
        fields = record.fields
        if record.event not in SWITCH_EVENTS:
            return
        if isinstance(fields, KvmEntry):
            self._pids[record.pid] = fields.vcpu
            self._entry(record, fields)
        elif isinstance(fields, Vmgexit):
            self._pids[record.pid] = fields.vcpu
            self._vmgexit(record, fields)
        elif isinstance(fields, MsrProtocolExit):
            self._msr_answer(record, fields)
        elif isinstance(fields, MsrProtocolEnter):
            if fields.ghcb_gpa & 0xFFF == _MSR_VMPL_REQ:
                self._request(record, fields.vcpu, fields.ghcb_gpa >> 32 & 0xFF, Channel.MSR)
        elif isinstance(fields, VtlSwitch):
            self._traced_switch(record, fields)
        elif isinstance(fields, InjectVirq):
            vcpu = self._pids.get(record.pid)
            if vcpu is not None and not fields.reinjected:
                self._vcpu(vcpu).events_since += 1
        elif isinstance(fields, AcceptIrq):
            # An NMI or SMI has no injection tracepoint.
            if fields.mode in ("NMI", "SMI"):
                self._vcpu(fields.apicid).events_since += 1
        elif isinstance(fields, Mark):
            self._marks.append(record)

    def result(self, windows: Iterable[Window] | None = None) -> SwitchFacts:
        """Return the facts; ``windows`` replaces the steps that the trace's own marks tell."""
        marked, problems = windows_from_marks(self._marks)
        for vcpu, state in self._vcpus.items():
            self._close(vcpu, state)
            self._end_vain(vcpu, state)
        requests = tuple(
            Request(r.line, r.at, vcpu, r.from_vmpl, r.to_vmpl, r.channel, r.outcome, r.error, r.answered_at)
            for vcpu, r in self._requests
        )
        notes = tuple(text if count == 1 else f"{text} ({count} times)" for text, count in self._notes.items())
        return SwitchFacts(
            flavour=self._rules.flavour,
            requests=requests,
            switches=tuple(sorted(self._switches, key=lambda switch: (switch.at, switch.line))),
            ap_starts=tuple(self._aps),
            live_locks=tuple(self._locks),
            windows=marked if windows is None else tuple(windows),
            notes=notes + (problems if windows is None else ()),
            inferred=self._rules.completed_is_inferred,
            vcpus=tuple(
                VcpuSpan(vcpu, state.first_at, state.last_at, state.vmpl)
                for vcpu, state in sorted(self._vcpus.items())
                if state.first_at is not None
            ),
        )

    def _vcpu(self, vcpu: int) -> _Vcpu:
        state = self._vcpus.get(vcpu)
        if state is None:
            state = self._vcpus[vcpu] = _Vcpu()
        return state

    def _seen(self, vcpu: int, at: int) -> _Vcpu:
        state = self._vcpu(vcpu)
        if state.first_at is None:
            state.first_at = at
        state.last_at = at
        return state

    def _note(self, text: str) -> None:
        self._notes[text] = self._notes.get(text, 0) + 1

    def _request(self, record: Record, vcpu: int, to_vmpl: int, channel: Channel) -> None:
        state = self._seen(vcpu, record.at)
        if self._rules.completion is Completion.EVENT:
            from_vmpl = state.vmpl
        else:
            # Only VMPL0 asks for a higher VMPL; the guest asks for VMPL0.
            from_vmpl = 0 if to_vmpl else self._guest_vmpl
            self._infer_before(record, vcpu, state, from_vmpl)
        self._close(vcpu, state)
        state.request = _Open(record.line, record.at, from_vmpl, to_vmpl, channel)
        self._requests.append((vcpu, state.request))
        if from_vmpl == to_vmpl:
            state.request.outcome = Outcome.NO_OP
        state.events_since = 0

    # Without a tracepoint of the switch, the asker of this request shows what became of the one before.
    def _infer_before(self, record: Record, vcpu: int, state: _Vcpu, asker: int) -> None:
        request = state.request
        if request is None or request.outcome is not Outcome.OPEN:
            if state.vmpl is not None and state.vmpl != asker:
                self._unrequested(record, vcpu, state, asker)
        elif request.to_vmpl == asker:
            self._complete(vcpu, state, request, request.line, request.at)
        elif self._rules.irq_forces_switch and asker == 0 and state.events_since:
            # VMPL0 asks twice to leave, and an interrupt came in between: it left, and was forced to run again.
            self._complete(vcpu, state, request, request.line, request.at)
            self._unrequested(record, vcpu, state, asker)
        else:
            request.outcome = Outcome.NO_SWITCH
        state.vmpl = asker

    def _unrequested(self, record: Record, vcpu: int, state: _Vcpu, to_vmpl: int) -> None:
        forced = self._rules.irq_forces_switch and to_vmpl == 0 and state.events_since > 0
        cause = Cause.IRQ_FORCED if forced else Cause.UNREQUESTED
        from_vmpl = state.vmpl if state.vmpl is not None else self._guest_vmpl
        self._switched(record.line, record.at, vcpu, from_vmpl, to_vmpl, cause, None)

    def _complete(self, vcpu: int, state: _Vcpu, request: _Open, line: int, at: int) -> None:
        request.outcome = Outcome.COMPLETED
        from_vmpl = request.from_vmpl if request.from_vmpl is not None else (0 if request.to_vmpl else self._guest_vmpl)
        cause = Cause.GUEST_REQUEST if from_vmpl > request.to_vmpl else Cause.SVSM_RETURN
        self._switched(line, at, vcpu, from_vmpl, request.to_vmpl, cause, request.at)
        state.vmpl = request.to_vmpl

    def _switched(
        self, line: int, at: int, vcpu: int, from_vmpl: int, to_vmpl: int, cause: Cause, requested_at: int | None
    ) -> None:
        inferred = self._rules.completed_is_inferred
        self._unentered[vcpu] = len(self._switches)
        self._switches.append(Switch(line, at, vcpu, from_vmpl, to_vmpl, cause, inferred, requested_at, None))

    def _vmgexit(self, record: Record, fields: Vmgexit) -> None:
        entering = record.event == "kvm_vmgexit_enter"
        if fields.exit_reason == _AP_CREATION and entering:
            kind = _AP_CREATE_KINDS.get(fields.exit_info1 & 0xFFFF)
            if kind is not None:
                apic_id, vmpl = fields.exit_info1 >> 32, fields.exit_info1 >> 16 & 0xF
                self._waiting_aps += 1
                self._aps.append(ApStart(record.line, record.at, fields.vcpu, apic_id, vmpl, kind, None))
        if fields.exit_reason != _RUN_VMPL:
            return
        if entering:
            self._request(record, fields.vcpu, fields.exit_info1 & 0xFF, Channel.NAE)
            return
        state = self._vcpu(fields.vcpu)
        request = state.request
        if request is None or request.outcome is not Outcome.OPEN:
            return
        if request.channel is Channel.NAE:
            request.answered_at = record.at
            if self._rules.nae_error_in_exit and fields.exit_info1:
                self._refuse(fields.vcpu, state, request, fields.exit_info1)
        elif self._rules.completion is Completion.NEXT_REQUEST and request.to_vmpl:
            # The GHCB of the guest's own Run-VMPL is unmapped right before the guest runs again (sev_es_unmap_ghcb).
            self._complete(fields.vcpu, state, request, request.line, request.at)

    def _msr_answer(self, record: Record, fields: MsrProtocolExit) -> None:
        state = self._vcpu(fields.vcpu)
        request = state.request
        if request is None or request.channel is not Channel.MSR or request.answered_at is not None:
            return
        request.answered_at = record.at
        answer = fields.ghcb_gpa & 0xFFF
        error = fields.ghcb_gpa >> 32
        if answer == _MSR_VMPL_RESP and error:
            self._refuse(fields.vcpu, state, request, error)
        elif answer == _MSR_VMPL_REQ:
            self._refuse(fields.vcpu, state, request, None)
        elif answer != _MSR_VMPL_RESP and self._rules.msr_answer is not MsrAnswer.TARGET_GHCB:
            self._note(f"a Run-VMPL request was answered with {answer:#x}, which is no answer to it")

    def _refuse(self, vcpu: int, state: _Vcpu, request: _Open, error: int | None) -> None:
        request.outcome, request.error = Outcome.REFUSED, error

    def _traced_switch(self, record: Record, fields: VtlSwitch) -> None:
        state = self._seen(fields.vcpu, record.at)
        request = state.request
        state.vmpl = fields.current_vmpl
        if request is not None and request.to_vmpl == fields.target_vmpl and request.outcome is not Outcome.NO_OP:
            if request.outcome is Outcome.REFUSED:
                # Patch 3 of the series sets target_vmpl before the check that refuses.
                self._note(f"line {record.line}: KVM switched although it had refused the request")
            refused = request.outcome is Outcome.REFUSED
            request.from_vmpl = fields.current_vmpl
            self._complete(fields.vcpu, state, request, record.line, record.at)
            if refused:
                request.outcome = Outcome.REFUSED
            self._close(fields.vcpu, state)
            state.request = None
        else:
            started = any(ap.apic_id == fields.vcpu and ap.vmpl == fields.target_vmpl and ap.entered_at is None
                          for ap in self._aps)  # fmt: skip
            if started:
                self._switched(
                    record.line, record.at, fields.vcpu, fields.current_vmpl, fields.target_vmpl, Cause.AP_START, None
                )
            else:
                self._unrequested(record, fields.vcpu, state, fields.target_vmpl)
        state.vmpl = fields.target_vmpl

    def _entry(self, record: Record, fields: KvmEntry) -> None:
        state = self._seen(fields.vcpu, record.at)
        for index, ap in enumerate(self._aps) if self._waiting_aps else ():
            at_vmpl = fields.vcpu_vmpl is None or fields.vcpu_vmpl == ap.vmpl
            if ap.entered_at is None and ap.apic_id == fields.vcpu and at_vmpl:
                self._aps[index] = ap._replace(entered_at=record.at)
                self._waiting_aps -= 1
        if fields.vcpu_vmpl is None:
            if self._rules.completion is Completion.EVENT:
                self._note("a kvm_entry without vcpu_vmpl, which this flavour prints: the line was cut")
            return
        position = self._unentered.pop(fields.vcpu, None)
        if position is not None and self._switches[position].to_vmpl == fields.vcpu_vmpl:
            self._switches[position] = self._switches[position]._replace(entered_at=record.at)
        if state.vmpl is not None and state.vmpl != fields.vcpu_vmpl:
            self._note(f"vCPU {fields.vcpu} entered VMPL{fields.vcpu_vmpl} without a switch from VMPL{state.vmpl}")
        state.vmpl = fields.vcpu_vmpl
        request = state.request
        if request is not None:
            if request.outcome is Outcome.OPEN and request.to_vmpl != fields.vcpu_vmpl:
                request.outcome = Outcome.NO_SWITCH
            self._close(fields.vcpu, state)
            state.request = None

    # Keeps the run of requests in vain of this vCPU.
    def _close(self, vcpu: int, state: _Vcpu) -> None:
        request = state.request
        if request is None or (state.vain and state.vain[-1] is request):
            return
        if request.outcome in (Outcome.REFUSED, Outcome.NO_SWITCH):
            if state.vain and state.vain[-1].to_vmpl != request.to_vmpl:
                self._end_vain(vcpu, state)
            state.vain.append(request)
        elif request.outcome is Outcome.COMPLETED:
            self._end_vain(vcpu, state)

    def _end_vain(self, vcpu: int, state: _Vcpu) -> None:
        vain, state.vain = state.vain, []
        if len(vain) >= LIVE_LOCK_REPEATS:
            errors = tuple(sorted({request.error for request in vain if request.error is not None}))
            self._locks.append(
                LiveLock(vcpu, vain[0].to_vmpl, len(vain), vain[0].line, vain[0].at, vain[-1].at, errors)
            )


def fold_switches(
    records: Iterable[Record],
    rules: FlavourRules,
    guest_vmpl: int = 2,
    windows: Iterable[Window] | None = None,
    pid_to_vcpu: dict[int, int] | None = None,
) -> SwitchFacts:
    """Build the facts from a whole trace; see :class:`SwitchFold`."""
    fold = SwitchFold(rules, guest_vmpl, pid_to_vcpu)
    for record in records:
        fold.take(record)
    return fold.result(windows)
