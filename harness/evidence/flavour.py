"""Say what each kind of KVM shows of VMPLs, as data, and tell which kind made a trace.

There are four kinds of KVM that know VMPLs, and mainline, which does not. They print different fields, and the same
line means different things. Every rule that the counting in :mod:`harness.evidence.vmpl` and
:mod:`harness.evidence.irq` applies stands here, with its source and how sure it is: [V] read in the primary text,
[INF] inferred from such text, not proven on hardware.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "PLANE_SYMBOLS",
    "RULES",
    "Completion",
    "Detection",
    "Flavour",
    "FlavourRules",
    "IrqVmpl",
    "KernelFacts",
    "Mark",
    "MsrAnswer",
    "Source",
    "detect",
    "offered_features",
    "rules_of",
]


class Flavour(StrEnum):
    """Name what the host's KVM knows about VMPLs."""

    MAINLINE = "mainline"
    TOM = "tom"
    ROY = "roy"
    PLANES_617 = "planes-6.17"
    PLANES_V1 = "planes-v1"


class Completion(StrEnum):
    """Say how a completed switch is seen."""

    #: kvm_arch_vcpu_ioctl_run_vtl_switch: one event a switch, either direction.
    EVENT = "tracepoint"
    #: No tracepoint: who asks next on this vCPU shows who ran.
    NEXT_REQUEST = "inferred from the next request of this vCPU"
    #: KVM never switches.
    NEVER = "never"


class MsrAnswer(StrEnum):
    """Say what kvm_vmgexit_msr_protocol_exit prints after a Run-VMPL request."""

    #: 0x017 with the error in bits 63:32.
    RESPONSE = "response"
    #: The GHCB address of the VMPL that runs next: the state was swapped before the tracepoint.
    TARGET_GHCB = "GHCB of the target"
    #: The request itself, unchanged: KVM does not know it.
    UNCHANGED = "request unchanged"


class IrqVmpl(StrEnum):
    """Say how the VMPL that got an interrupt is known."""

    #: kvm_apic_accept_irq prints the plane.
    FIELD = "stated by the tracepoint"
    #: kvm_entry prints vcpu_vmpl: the VMPL entered right after kvm_inj_virq.
    NEXT_ENTRY = "inferred from the next kvm_entry"
    #: Only the Run-VMPL requests around it tell.
    REQUESTS = "inferred from the Run-VMPL requests around it"
    #: One APIC serves all VMPLs: the question has no answer.
    SHARED = "one APIC for all VMPLs"


class Mark(StrEnum):
    """Say how sure a rule is."""

    VERIFIED = "V"
    INFERRED = "INF"


@dataclass(frozen=True, slots=True)
class Source:
    """Give the text that a rule rests on."""

    rule: str
    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class FlavourRules:
    """Hold one flavour's rules.

    ``irq_forces_switch``: KVM runs VMPL0 without a request when it has an interrupt that it can take.
    ``nae_error_in_exit``: a refused NAE Run-VMPL shows as a nonzero exit_info1 in kvm_vmgexit_exit.
    """

    flavour: Flavour
    completion: Completion
    msr_answer: MsrAnswer
    nae_error_in_exit: bool
    irq_vmpl: IrqVmpl
    irq_forces_switch: bool
    sources: tuple[Source, ...]

    @property
    def completed_is_inferred(self) -> bool:
        """Tell whether completed switches are inferred rather than printed."""
        return self.completion is Completion.NEXT_REQUEST


_V, _INF = Mark.VERIFIED, Mark.INFERRED
_TOM_SERIES = "RFC PATCH 0/7 KVM: SEV-SNP support for running an SVSM, 27 Aug 2024"
_ROY_SERIES = "RFC PATCH 0/5 Extend SEV-SNP SVSM support with a kvm_vcpu per VMPL, 16 Sep 2024"
_PLANES_617 = "coconut-svsm/linux svsm-planes-v6.17"
_PLANES_V1 = "PATCH 00/60 KVM Planes + SEV-SNP Support, 8 Jun 2026"

#: The rules of every flavour.
RULES: Mapping[Flavour, FlavourRules] = {
    Flavour.MAINLINE: FlavourRules(
        flavour=Flavour.MAINLINE,
        completion=Completion.NEVER,
        msr_answer=MsrAnswer.UNCHANGED,
        nae_error_in_exit=True,
        irq_vmpl=IrqVmpl.SHARED,
        irq_forces_switch=False,
        sources=(
            Source("completion", "Linux 7.3 svm/sev.c: GHCB_HV_FT_SUPPORTED has no multi-VMPL bit", _V),
            Source("msr_answer", "Linux 7.3 svm/sev.c: the default case keeps the GHCB MSR's value", _V),
        ),
    ),
    Flavour.TOM: FlavourRules(
        flavour=Flavour.TOM,
        completion=Completion.NEXT_REQUEST,
        msr_answer=MsrAnswer.TARGET_GHCB,
        nae_error_in_exit=True,
        irq_vmpl=IrqVmpl.SHARED,
        irq_forces_switch=False,
        sources=(
            Source("completion", f"{_TOM_SERIES}: no tracepoint is added", _V),
            Source("msr_answer", f"{_TOM_SERIES}: VMSA and GHCB are swapped before the exit is traced", _V),
            Source("nae_error_in_exit", f"{_TOM_SERIES}: failure sets sw_exit_info_1 to 2", _V),
            Source("irq_vmpl", f"{_TOM_SERIES}: the same kvm_vcpu and APIC run every VMPL", _V),
        ),
    ),
    Flavour.ROY: FlavourRules(
        flavour=Flavour.ROY,
        completion=Completion.EVENT,
        msr_answer=MsrAnswer.RESPONSE,
        nae_error_in_exit=False,
        irq_vmpl=IrqVmpl.NEXT_ENTRY,
        irq_forces_switch=False,
        sources=(
            Source("completion", f"{_ROY_SERIES}, patch 2: the run loop traces and goes on with the target", _V),
            Source("msr_answer", f"{_ROY_SERIES}, patch 3, on top of Tom's: 0x017 with an error", _INF),
            Source("nae_error_in_exit", f"{_ROY_SERIES}, patch 3: the GHCB is unmapped before the check", _V),
            Source("irq_vmpl", f"{_ROY_SERIES}, patch 5: kvm_apic_accept_irq has the vcpu_id only", _INF),
            Source("irq_forces_switch", f"{_ROY_SERIES}, patch 2: only Run-VMPL and AP creation set target_vmpl", _INF),
        ),
    ),
    Flavour.PLANES_617: FlavourRules(
        flavour=Flavour.PLANES_617,
        completion=Completion.NEXT_REQUEST,
        msr_answer=MsrAnswer.RESPONSE,
        nae_error_in_exit=True,
        irq_vmpl=IrqVmpl.FIELD,
        irq_forces_switch=True,
        sources=(
            Source("completion", f"{_PLANES_617} arch/x86/kvm/trace.h: no tracepoint of a switch", _V),
            Source("irq_vmpl", f"{_PLANES_617} arch/x86/kvm/trace.h: plane in kvm_apic_accept_irq", _V),
            Source("irq_forces_switch", f"{_PLANES_617} commit 3e03a42c1da1: plane 0 runs if it has events", _V),
            Source("msr_answer", "GHCB specification, MSR protocol 0x017", _INF),
            Source("nae_error_in_exit", "as in Tom's series", _INF),
        ),
    ),
    Flavour.PLANES_V1: FlavourRules(
        flavour=Flavour.PLANES_V1,
        completion=Completion.NEXT_REQUEST,
        msr_answer=MsrAnswer.RESPONSE,
        nae_error_in_exit=True,
        irq_vmpl=IrqVmpl.REQUESTS,
        irq_forces_switch=True,
        sources=(
            Source("completion", f"{_PLANES_V1}: its diff of trace.h is one line", _INF),
            Source("irq_vmpl", f"{_PLANES_V1}: no plane in the interrupt tracepoints", _INF),
            Source("irq_forces_switch", f"{_PLANES_V1}, patch 52: an injectable IRQ, NMI or SMI of plane 0", _V),
            Source("msr_answer", "GHCB specification, MSR protocol 0x017", _INF),
            Source("nae_error_in_exit", "as in Tom's series", _INF),
        ),
    ),
}


def rules_of(flavour: Flavour) -> FlavourRules:
    """Return the rules of ``flavour``."""
    return RULES[flavour]


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """Gather what can be read of a host without booting a guest.

    ``events`` are the directory names under ``events/kvm``, ``fields`` the field names of each event's ``format``.
    ``symbols`` are names found in /proc/kallsyms, None if it could not be read. ``ghcb_features`` is the bitmap that a
    guest was offered, None if unknown. ``model_header`` is the first line of a VMPL model's trace, empty otherwise.
    """

    events: frozenset[str] = frozenset()
    fields: Mapping[str, frozenset[str]] | None = None
    symbols: frozenset[str] | None = None
    ghcb_features: int | None = None
    model_header: str = ""


@dataclass(frozen=True, slots=True)
class Detection:
    """Name the flavour, None if the facts do not decide, and why."""

    flavour: Flavour | None
    reasons: tuple[str, ...]


# GHCB specification, hypervisor features: bit 5 is multi-VMPL.
_MULTI_VMPL = 1 << 5
#: The names in /proc/kallsyms that tell planes apart; either may be inlined, so the lack of one proves nothing.
PLANE_SYMBOLS = frozenset({"kvm_request_plane_switch", "kvm_vcpu_select_plane"})
# COCONUT-SVSM kernel/src/sev/ghcb.rs, at an early start on a host without multi-VMPL.
_OFFERED = re.compile(rb"hypervisor GHCB features not available: present=0x([0-9a-fA-F]{1,8})")


def offered_features(console: bytes | mmap.mmap) -> int | None:
    """Return the GHCB features that the host offered, if the guest's console complains of them; None if not."""
    match = _OFFERED.search(console)
    return None if match is None else int(match[1], 16)


def detect(facts: KernelFacts) -> Detection:
    """Tell the flavour from observable facts, the surest first; never by a version or a uAPI number.

    Two facts that contradict each other decide nothing. ``tom`` adds nothing that can be seen, so it is never
    detected: who runs it must say so.
    """
    found: dict[Flavour, list[str]] = {}
    fields = facts.fields or {}
    for word in facts.model_header.split():
        if word.startswith("flavour=") and word[8:] in {flavour.value for flavour in Flavour}:
            found.setdefault(Flavour(word[8:]), []).append(f"the trace begins with {word}")
    if "kvm_arch_vcpu_ioctl_run_vtl_switch" in facts.events:
        found.setdefault(Flavour.ROY, []).append("the tracepoint kvm_arch_vcpu_ioctl_run_vtl_switch exists")
    if "vcpu_vmpl" in fields.get("kvm_entry", ()):
        found.setdefault(Flavour.ROY, []).append("kvm_entry has the field vcpu_vmpl")
    if "plane" in fields.get("kvm_msi_set_irq", ()):
        found.setdefault(Flavour.PLANES_617, []).append("kvm_msi_set_irq has the field plane")
    symbols = facts.symbols or frozenset()
    if "kvm_request_plane_switch" in symbols:
        found.setdefault(Flavour.PLANES_617, []).append("the kernel has kvm_request_plane_switch")
    elif "kvm_vcpu_select_plane" in symbols:
        found.setdefault(Flavour.PLANES_V1, []).append("the kernel has kvm_vcpu_select_plane")
    if facts.ghcb_features is not None and not facts.ghcb_features & _MULTI_VMPL:
        text = f"it offers guests the GHCB features {facts.ghcb_features:#x}, without multi-VMPL (0x20)"
        found.setdefault(Flavour.MAINLINE, []).append(text)
    if len(found) == 1:
        flavour, reasons = next(iter(found.items()))
        return Detection(flavour, tuple(reasons))
    if found:
        said = tuple(f"{flavour}: {reason}" for flavour, reasons in found.items() for reason in reasons)
        return Detection(None, ("the facts contradict each other", *said))
    return Detection(None, _undecided(facts))


def _undecided(facts: KernelFacts) -> tuple[str, ...]:
    reasons = ["no tracepoint, field or symbol of a VMPL-capable KVM was seen"]
    if not facts.events:
        reasons.append("the tracepoints were not readable: mount tracefs and run as root")
    if facts.symbols is None:
        reasons.append("/proc/kallsyms was not readable, and its absence of a name would prove nothing")
    if facts.ghcb_features is None:
        reasons.append("no guest has said which GHCB features it was offered: boot one to tell mainline from tom")
    return tuple(reasons)
