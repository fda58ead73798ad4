"""Check the tracing of KVM: without it, counts and routing cannot be judged on kvm and above."""

from __future__ import annotations

from harness.doctor.finding import Answer, Check, Group, lacks, note, ok, unknown
from harness.doctor.flavour import KVM_EVENTS
from harness.doctor.snapshot import HostSnapshot, Unreadable

__all__ = ["CHECKS", "TRACEFS"]

TRACEFS = "/sys/kernel/tracing"
_MOUNT = f"as root: mount -t tracefs nodev {TRACEFS}; needs CONFIG_FTRACE in the kernel"
_AS_ROOT = "run as root"


def _mounted(host: HostSnapshot) -> Answer:
    mounts = host.text("/proc/mounts")
    if isinstance(mounts, Unreadable):
        return unknown(mounts)
    where = [words[1] for line in mounts.splitlines() if len(words := line.split()) > 2 and words[2] == "tracefs"]
    if TRACEFS in where:
        return ok(TRACEFS)
    return lacks(f"at {where[0]} only" if where else "no")


def _readable(host: HostSnapshot) -> Answer:
    names = host.names(TRACEFS)
    if isinstance(names, Unreadable):
        return unknown(names)
    return ok(f"{len(names)} files") if names else lacks(f"{TRACEFS} is empty", _MOUNT)


def _instances(host: HostSnapshot) -> Answer:
    access = host.may(f"{TRACEFS}/instances")
    if isinstance(access, Unreadable):
        return lacks(access.why, _MOUNT) if access.absent else unknown(access)
    return ok("writable") if access.writable else lacks("not writable for this user")


def _pids(host: HostSnapshot) -> Answer:
    access = host.may(f"{TRACEFS}/set_event_pid")
    if isinstance(access, Unreadable):
        return lacks(access.why, _MOUNT) if access.absent else unknown(access)
    return ok("writable") if access.writable else lacks("not writable for this user")


def _clock(host: HostSnapshot) -> Answer:
    text = host.text(f"{TRACEFS}/trace_clock")
    if isinstance(text, Unreadable):
        return unknown(text)
    return ok(text) if "mono" in text.replace("[", " ").replace("]", " ").split() else lacks(text)


def _histograms(host: HostSnapshot) -> Answer:
    events = host.names(KVM_EVENTS)
    if isinstance(events, Unreadable):
        return unknown(events)
    names = host.names(f"{KVM_EVENTS}/kvm_exit")
    if isinstance(names, Unreadable):
        return unknown(names)
    return ok("yes") if "hist" in names else note("no: perf stat counts instead", "CONFIG_HIST_TRIGGERS in the kernel")


def _buffer(host: HostSnapshot) -> Answer:
    text = host.text(f"{TRACEFS}/buffer_size_kb")
    # "7 (expanded: 1408)" until the first use.
    return unknown(text) if isinstance(text, Unreadable) else ok(f"{text} KiB a CPU")


def _perf(host: HostSnapshot) -> Answer:
    found = host.programs.get("perf")
    return ok(found) if found else note("not found", "install linux-perf (perf)")


def _paranoid(host: HostSnapshot) -> Answer:
    value = host.number("/proc/sys/kernel/perf_event_paranoid")
    if isinstance(value, Unreadable):
        return unknown(value)
    # Linux Documentation/admin-guide/perf-security.rst: raw tracepoints need -1, or CAP_PERFMON.
    if host.root or value < 0:
        return ok(str(value))
    return note(f"{value}, and not root", "as root: sysctl kernel.perf_event_paranoid=-1")


def _kallsyms(host: HostSnapshot) -> Answer:
    value = host.number("/proc/sys/kernel/kptr_restrict")
    if isinstance(host.symbols, Unreadable):
        return unknown(host.symbols)
    return ok(f"readable, kptr_restrict {'unknown' if isinstance(value, Unreadable) else value}")


def _log(host: HostSnapshot) -> Answer:
    if isinstance(host.log, Unreadable):
        return unknown(host.log)
    return ok(f"readable, {len(host.log)} lines that matter here")


CHECKS = (
    Check(Group.TRACING, "tracefs mounted", "counts and routing on kvm and above", _mounted, fix=_MOUNT),
    Check(Group.TRACING, "tracefs readable", "counts and routing on kvm and above", _readable, fix=_AS_ROOT),
    Check(Group.TRACING, "instances", "a trace of its own for each boot", _instances, fix=_AS_ROOT),
    Check(Group.TRACING, "set_event_pid", "other guests on the host do not count", _pids, fix=_AS_ROOT),
    Check(Group.TRACING, "trace_clock mono", "one time axis with QEMU", _clock, fix=_AS_ROOT),
    Check(Group.TRACING, "hist triggers", "exact counts inside the kernel", _histograms, fix=_AS_ROOT),
    Check(Group.TRACING, "buffer", "the default; each boot sets its own", _buffer, fix=_AS_ROOT),
    Check(Group.TRACING, "perf", "exact counts where hist triggers are missing", _perf),
    Check(Group.TRACING, "perf_event_paranoid", "who may count tracepoints", _paranoid),
    Check(Group.TRACING, "kallsyms", "tells planes kernels apart", _kallsyms, fix=_AS_ROOT),
    Check(
        Group.TRACING,
        "kernel log",
        "its new lines are evidence of each boot",
        _log,
        fix="as root: sysctl kernel.dmesg_restrict=0; or run as root",
    ),
)
