"""Check what the host's KVM knows about VMPLs; the rule itself is :func:`harness.evidence.flavour.detect`."""

from __future__ import annotations

from harness.doctor.finding import SVSM, Answer, Check, Group, lacks, note, ok, unknown
from harness.doctor.snapshot import HostSnapshot, Unreadable
from harness.evidence.flavour import Detection, Flavour, KernelFacts, detect

__all__ = ["CHECKS", "KVM_EVENTS", "PLANE_SYMBOLS", "flavour_of"]

KVM_EVENTS = "/sys/kernel/tracing/events/kvm"
#: The names that the collector looks for in /proc/kallsyms.
PLANE_SYMBOLS = frozenset({"kvm_request_plane_switch", "kvm_vcpu_select_plane"})
_SWITCH = "kvm_arch_vcpu_ioctl_run_vtl_switch"
_KERNELS = (
    "boot a kernel whose KVM knows VMPLs: coconut-svsm/linux svsm-planes-v6.17, or its svsm branch, "
    "which INSTALL.md of COCONUT-SVSM names"
)
_AS_ROOT = "as root: mount -t tracefs nodev /sys/kernel/tracing; then run doctor as root"


def flavour_of(host: HostSnapshot) -> Detection:
    """Tell the flavour from what was read; what was not read decides nothing."""
    events = host.names(KVM_EVENTS)
    return detect(
        KernelFacts(
            frozenset() if isinstance(events, Unreadable) else events,
            None if isinstance(host.fields, Unreadable) else host.fields,
            None if isinstance(host.symbols, Unreadable) else host.symbols,
        )
    )


def _flavour(host: HostSnapshot) -> Answer:
    found = flavour_of(host)
    seen = "; ".join(found.reasons)
    if found.flavour is Flavour.MAINLINE:
        return lacks(f"mainline: {seen}", _KERNELS)
    if found.flavour is not None:
        return ok(f"{found.flavour}: {seen} [INF]")
    unread = isinstance(host.names(KVM_EVENTS), Unreadable) or isinstance(host.symbols, Unreadable)
    return unknown(f"undecided: {seen}", f"{_AS_ROOT}; if that shows none, {_KERNELS}" if unread else _KERNELS)


def _events(host: HostSnapshot) -> Answer:
    names = host.names(KVM_EVENTS)
    if isinstance(names, Unreadable):
        return unknown(names)
    return ok(f"{len(names)} tracepoints") if names else lacks("none")


def _switch(host: HostSnapshot) -> Answer:
    names = host.names(KVM_EVENTS)
    if isinstance(names, Unreadable):
        return unknown(names)
    return ok(f"{_SWITCH} exists") if _SWITCH in names else note(f"no {_SWITCH}: completed switches are inferred")


def _field(event: str, field: str, yes: str, no: str, host: HostSnapshot) -> Answer:
    events = host.names(KVM_EVENTS)
    if isinstance(events, Unreadable):
        return unknown(events)
    if isinstance(host.fields, Unreadable):
        return unknown(host.fields)
    fields = host.fields.get(event)
    if fields is None:
        return unknown(f"no format of {event} was read")
    return ok(f"{event} has {field}: {yes}") if field in fields else note(f"{event} has no {field}: {no}")


def _entry(host: HostSnapshot) -> Answer:
    return _field("kvm_entry", "vcpu_vmpl", "roy", "not roy", host)


def _era(host: HostSnapshot) -> Answer:
    return _field("kvm_entry", "intr_info", "as Linux 7.3 prints it", "as Linux 6.12 prints it", host)


def _plane(host: HostSnapshot) -> Answer:
    return _field("kvm_msi_set_irq", "plane", "planes-6.17", "interrupts name no plane", host)


def _symbols(host: HostSnapshot) -> Answer:
    if isinstance(host.symbols, Unreadable):
        return unknown(host.symbols)
    found = sorted(host.symbols & PLANE_SYMBOLS)
    # Weak: either may be inlined.
    return ok(", ".join(found)) if found else note("neither name of planes, which proves nothing")


def _requests(host: HostSnapshot) -> Answer:
    names = host.names(KVM_EVENTS)
    if isinstance(names, Unreadable):
        return unknown(names)
    wanted = {"kvm_vmgexit_enter", "kvm_vmgexit_msr_protocol_enter"}
    missing = sorted(wanted - names)
    if missing:
        return lacks(f"no {', '.join(missing)}", "boot a kernel built with CONFIG_KVM_AMD_SEV")
    return ok("kvm_vmgexit_enter, kvm_vmgexit_msr_protocol_enter")


CHECKS = (
    Check(Group.FLAVOUR, "flavour", "an SVSM needs a KVM that knows VMPLs", _flavour, SVSM, decides=True),
    Check(Group.FLAVOUR, "KVM tracepoints", "what tells the flavours apart", _events, fix=_AS_ROOT),
    Check(Group.FLAVOUR, "Run-VMPL requests", "switches of every flavour are counted by them", _requests, fix=_AS_ROOT),
    Check(Group.FLAVOUR, "switch tracepoint", "roy prints every completed switch", _switch, fix=_AS_ROOT),
    Check(Group.FLAVOUR, "VMPL in kvm_entry", "roy prints who is entered", _entry, fix=_AS_ROOT),
    Check(Group.FLAVOUR, "kvm_entry format", "which words the trace has", _era, fix=_AS_ROOT),
    Check(Group.FLAVOUR, "plane in interrupts", "planes-6.17 prints the plane", _plane, fix=_AS_ROOT),
    Check(
        Group.FLAVOUR,
        "plane symbols",
        "tell planes-v1 from planes-6.17; a weak sign",
        _symbols,
        fix="as root: sysctl kernel.kptr_restrict=1; run doctor as root",
    ),
)
