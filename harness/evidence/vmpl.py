"""Count VMPL switches: requested, refused and completed are three numbers, never one.

A Run-VMPL request is not a switch: KVM may refuse it, answer success and not switch, or (planes) switch without any
request. :class:`~harness.evidence.vmpl_fold.SwitchFold` builds these facts from a trace.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.evidence.flavour import Flavour
from harness.evidence.steps import StepIndex, Window

__all__ = [
    "ApStart",
    "Cause",
    "Channel",
    "LiveLock",
    "Numbers",
    "Outcome",
    "Request",
    "Switch",
    "SwitchFacts",
    "VcpuSpan",
]


class Channel(StrEnum):
    """Name the way a Run-VMPL request took (GHCB specification)."""

    NAE = "NAE 0x80000018"
    MSR = "MSR 0x016"


class Cause(StrEnum):
    """Name why a switch happened."""

    GUEST_REQUEST = "guest request"
    SVSM_RETURN = "SVSM return"
    IRQ_FORCED = "IRQ-forced"
    AP_START = "AP start"
    #: Nobody asked, and this flavour does not switch by itself.
    UNREQUESTED = "unrequested"


class Outcome(StrEnum):
    """Name what became of a request."""

    COMPLETED = "completed"
    REFUSED = "refused"
    #: KVM did not refuse, and went on with the VMPL that asked.
    NO_SWITCH = "no switch followed"
    #: It asked for the VMPL that was running already.
    NO_OP = "asked for the running VMPL"
    #: The trace ends before it can be known.
    OPEN = "open at the end of the trace"


class Request(NamedTuple):
    """Hold one Run-VMPL request. ``error`` is the refusal's code; ``from_vmpl`` is None where it cannot be known."""

    line: int
    at: int
    vcpu: int
    from_vmpl: int | None
    to_vmpl: int
    channel: Channel
    outcome: Outcome
    error: int | None
    answered_at: int | None


class Switch(NamedTuple):
    """Hold one completed switch.

    ``at`` is the switch tracepoint's time, or the request's where the flavour has none. ``entered_at`` is when the new
    VMPL was entered, None where that is not shown. ``requested_at`` is None for a switch that nobody asked for.
    """

    line: int
    at: int
    vcpu: int
    from_vmpl: int
    to_vmpl: int
    cause: Cause
    inferred: bool
    requested_at: int | None
    entered_at: int | None


class ApStart(NamedTuple):
    """Hold one AP creation request (NAE 0x80000013) that starts a vCPU at a VMPL.

    ``kind`` is create or create on init. ``entered_at`` is the first kvm_entry of that vCPU (at that VMPL, where the
    flavour says) afterwards; None: it never ran.
    """

    line: int
    at: int
    vcpu: int
    apic_id: int
    vmpl: int
    kind: str
    entered_at: int | None


class VcpuSpan(NamedTuple):
    """Say when a vCPU was first and last seen, and in which VMPL it was at the end (None: not known)."""

    vcpu: int
    first_at: int
    last_at: int
    vmpl: int | None


@dataclass(frozen=True, slots=True)
class LiveLock:
    """Report a vCPU that asked for the same switch again and again in vain.

    COCONUT checks the low 12 bits of the answer only (kernel/src/sev/ghcb.rs), so a refused return to the guest is
    retried for ever; the facts call this signature [INF].
    """

    vcpu: int
    to_vmpl: int
    count: int
    first_line: int
    first_at: int
    last_at: int
    errors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Hold the counts of one direction (or of all): ``requested == refused + completed_requests + the rest``.

    ``completed`` counts all completed switches, requested or not.
    """

    requested: int
    refused: int
    no_switch: int
    no_op: int
    open: int
    completed: int


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """Hold all requests and switches of a trace, in the order of time.

    ``inferred`` tells whether completed switches are inferred because the flavour prints none. ``notes`` are sentences
    about what could not be known or does not fit together.
    """

    flavour: Flavour
    requests: tuple[Request, ...]
    switches: tuple[Switch, ...]
    ap_starts: tuple[ApStart, ...]
    live_locks: tuple[LiveLock, ...]
    windows: tuple[Window, ...]
    notes: tuple[str, ...]
    inferred: bool
    vcpus: tuple[VcpuSpan, ...] = ()

    def numbers(
        self,
        *,
        vcpu: int | None = None,
        from_vmpl: int | None = None,
        to_vmpl: int | None = None,
        step: str | None = None,
    ) -> Numbers:
        """Count within one vCPU, direction or step; None takes all."""
        requests = self.select_requests(vcpu=vcpu, from_vmpl=from_vmpl, to_vmpl=to_vmpl, step=step)
        outcomes = Counter(request.outcome for request in requests)
        switches = self.select(vcpu=vcpu, from_vmpl=from_vmpl, to_vmpl=to_vmpl, step=step)
        return Numbers(
            requested=len(requests),
            refused=outcomes[Outcome.REFUSED],
            no_switch=outcomes[Outcome.NO_SWITCH],
            no_op=outcomes[Outcome.NO_OP],
            open=outcomes[Outcome.OPEN],
            completed=len(switches),
        )

    def select(
        self,
        *,
        vcpu: int | None = None,
        from_vmpl: int | None = None,
        to_vmpl: int | None = None,
        cause: Cause | None = None,
        step: str | None = None,
    ) -> tuple[Switch, ...]:
        """Return the completed switches of one vCPU, direction, cause or step; None takes all."""
        index = StepIndex(self.windows) if step is not None else None
        return tuple(
            switch
            for switch in self.switches
            if (vcpu is None or switch.vcpu == vcpu)
            and (from_vmpl is None or switch.from_vmpl == from_vmpl)
            and (to_vmpl is None or switch.to_vmpl == to_vmpl)
            and (cause is None or switch.cause is cause)
            and (index is None or index.step_at(switch.at, switch.line) == step)
        )

    def select_requests(
        self,
        *,
        vcpu: int | None = None,
        from_vmpl: int | None = None,
        to_vmpl: int | None = None,
        outcome: Outcome | None = None,
        step: str | None = None,
    ) -> tuple[Request, ...]:
        """Return the requests of one vCPU, direction, outcome or step; None takes all."""
        index = StepIndex(self.windows) if step is not None else None
        return tuple(
            request
            for request in self.requests
            if (vcpu is None or request.vcpu == vcpu)
            and (from_vmpl is None or request.from_vmpl == from_vmpl)
            and (to_vmpl is None or request.to_vmpl == to_vmpl)
            and (outcome is None or request.outcome is outcome)
            and (index is None or index.step_at(request.at, request.line) == step)
        )

    def balance(self, vcpu: int) -> int:
        """Return the switches to VMPL0 minus those from it; 0 or -1 at a quiet point (the first one may only go up)."""
        moves = [switch for switch in self.switches if switch.vcpu == vcpu]
        return sum(switch.to_vmpl == 0 for switch in moves) - sum(switch.from_vmpl == 0 for switch in moves)

    def by_cause(self) -> dict[Cause, int]:
        """Count the completed switches by cause, all causes listed."""
        counted = Counter(switch.cause for switch in self.switches)
        return {cause: counted[cause] for cause in Cause}
