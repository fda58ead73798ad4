"""Name the fields of the trace events about the host's own work: halts, faults, AVIC, registers.

See :mod:`harness.evidence.trace_events` for the rules and the sources. An SNP guest has no AVIC
(APICV_INHIBIT_REASON_SEV), so an AVIC event in its trace means that another VM was traced too.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ApicRegister",
    "DoorbellAvic",
    "Extra",
    "GaLog",
    "HaltPoll",
    "HostFields",
    "Hypercall",
    "IncompleteIpi",
    "InhibitChanged",
    "IrteUpdate",
    "KickSlowpath",
    "Mmio",
    "Msr",
    "PageFault",
    "Pio",
    "RmpFault",
    "UnacceleratedAccess",
    "VcpuWakeup",
]

Extra = tuple[tuple[str, int | str], ...]


class RmpFault(NamedTuple):
    """``kvm_rmp_fault``."""

    vcpu: int
    gpa: int
    pfn: int
    error_code: int
    rmp_level: int
    psmash_ret: int
    extra: Extra = ()


class PageFault(NamedTuple):
    """``kvm_page_fault``."""

    vcpu: int
    rip: int
    address: int
    error_code: int
    extra: Extra = ()


class VcpuWakeup(NamedTuple):
    """``kvm_vcpu_wakeup``: ``how`` is wait or poll."""

    how: str
    time_ns: int
    polling: str
    extra: Extra = ()


class HaltPoll(NamedTuple):
    """``kvm_halt_poll_ns``."""

    vcpu: int
    new_ns: int
    how: str
    old_ns: int
    extra: Extra = ()


class Msr(NamedTuple):
    """``kvm_msr``; ``refused``: the access raised #GP."""

    access: str
    msr: int
    value: int
    refused: bool = False
    extra: Extra = ()


class ApicRegister(NamedTuple):
    """``kvm_apic``: a register of the local APIC was read or written."""

    access: str
    register: str
    value: int
    extra: Extra = ()


class InhibitChanged(NamedTuple):
    """``kvm_apicv_inhibit_changed``; ``change`` is set or cleared."""

    change: str
    reason: int
    inhibits: int
    note: str = ""
    extra: Extra = ()


class IrteUpdate(NamedTuple):
    """``kvm_pi_irte_update``."""

    state: str
    irq: int
    vcpu: int
    gsi: int
    gvec: int
    pi_desc_addr: int | None = None
    extra: Extra = ()


class IncompleteIpi(NamedTuple):
    """``kvm_avic_incomplete_ipi``: an SNP guest has no AVIC, so this means that another VM is traced too."""

    vcpu: int
    icrh: int
    icrl: int
    id: int
    table_index: int
    extra: Extra = ()


class UnacceleratedAccess(NamedTuple):
    """``kvm_avic_unaccelerated_access``."""

    vcpu: int
    offset: int
    register: str
    access: str
    kind: str
    vec: int
    extra: Extra = ()


class GaLog(NamedTuple):
    """``kvm_avic_ga_log``."""

    vmid: int
    vcpu: int
    extra: Extra = ()


class KickSlowpath(NamedTuple):
    """``kvm_avic_kick_vcpu_slowpath``."""

    icrh: int
    icrl: int
    table_index: int
    extra: Extra = ()


class DoorbellAvic(NamedTuple):
    """``kvm_avic_doorbell``."""

    vcpu: int
    apicid: int
    extra: Extra = ()


class Hypercall(NamedTuple):
    """``kvm_hypercall``: VMMCALL or VMCALL; has no vCPU, the line's PID tells it."""

    nr: int
    a0: int
    a1: int
    a2: int
    a3: int
    extra: Extra = ()


class Pio(NamedTuple):
    """``kvm_pio``: an access to an I/O port; ``val`` is the first of ``repeats`` values. No vCPU, as above.

    ``repeats`` is printed as count, which tuples have as a method.
    """

    access: str
    port: int
    size: int
    repeats: int
    val: int
    extra: Extra = ()


class Mmio(NamedTuple):
    """``kvm_mmio``: an emulated access to memory that is a device's; ``access`` may be unsatisfied-read."""

    access: str
    len: int
    gpa: int
    val: int
    extra: Extra = ()


HostFields = (
    RmpFault
    | PageFault
    | VcpuWakeup
    | HaltPoll
    | Msr
    | ApicRegister
    | InhibitChanged
    | IrteUpdate
    | IncompleteIpi
    | UnacceleratedAccess
    | GaLog
    | KickSlowpath
    | DoorbellAvic
    | Hypercall
    | Pio
    | Mmio
)
