"""Check what bounds the number of guests: ASIDs, memory, disk, CPUs; and the clock."""

from __future__ import annotations

from harness.doctor.cpu import SEV_LEAF
from harness.doctor.finding import ALL, FROM_SNP, Answer, AskedOf, Check, Group, lacks, note, ok, unknown
from harness.doctor.snapshot import HostSnapshot, Unreadable
from harness.units import format_bytes

__all__ = ["CHECKS", "CONTAINER_MARKS"]

#: Files that container engines leave (docker, podman).
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
_ROOM_BYTES = 1 << 30
_CAPACITY, _CURRENT = "/sys/fs/cgroup/misc.capacity", "/sys/fs/cgroup/misc.current"
_SLOW_CLOCK = "see in the kernel's log why the TSC is not used"
_TIMES = "/sys/devices/system/clocksource/clocksource0"


def _rounded(size_bytes: int) -> str:
    return format_bytes(size_bytes >> 20 << 20)


def _asids(host: HostSnapshot) -> Answer:
    leaf = host.leaf(SEV_LEAF)
    if isinstance(leaf, Unreadable):
        return unknown(leaf)
    # Linux 7.3 svm/sev.c: SEV-ES and SNP guests get the ASIDs 1 to EDX-1.
    free = max(0, leaf.edx - 1)
    seen = f"edx={leaf.edx}: {free} for SEV-ES and SNP guests"
    return ok(seen) if free else lacks(seen, "in the firmware's set-up raise the minimum SEV non-ES ASID")


def _all_asids(host: HostSnapshot) -> Answer:
    leaf = host.leaf(SEV_LEAF)
    return unknown(leaf) if isinstance(leaf, Unreadable) else ok(f"ecx={leaf.ecx}")


def _misc(path: str, host: HostSnapshot) -> int | Unreadable:
    text = host.text(path)
    if isinstance(text, Unreadable):
        return text
    for line in text.splitlines():
        # SNP guests are charged to sev_es (MISC_CG_RES_SEV_ES); root's own list may say "max".
        words = line.split()
        if len(words) == 2 and words[0] == "sev_es" and words[1].isdigit():
            return int(words[1])
    return Unreadable(f"{path} names no sev_es", absent=True)


def _free_asids(host: HostSnapshot) -> Answer:
    capacity, used = _misc(_CAPACITY, host), _misc(_CURRENT, host)
    if isinstance(capacity, Unreadable):
        return unknown(capacity)
    if isinstance(used, Unreadable):
        return unknown(f"{capacity} in all; {used.why}")
    seen = f"{capacity - used} of {capacity}"
    return ok(seen) if used < capacity else lacks(seen, "end SEV guests that somebody left running")


def _locked(host: HostSnapshot) -> Answer:
    limit = host.memlock_bytes
    if isinstance(limit, Unreadable):
        return unknown(limit)
    if limit is None:
        return ok("unlimited")
    # snphost looks at it; guest_memfd is not charged to it, as far as its source tells [INF].
    return ok(_rounded(limit)) if limit >= _ROOM_BYTES else note(f"{_rounded(limit)} [INF]: enough for guest_memfd")


def _memory(host: HostSnapshot) -> Answer:
    text = host.text("/proc/meminfo")
    if isinstance(text, Unreadable):
        return unknown(text)
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "MemAvailable:" and words[1].isdigit():
            available = int(words[1]) << 10
            seen = f"{_rounded(available)} available"
            return ok(seen) if available >= _ROOM_BYTES else lacks(seen)
    return unknown("/proc/meminfo names no MemAvailable")


def _group_memory(host: HostSnapshot) -> Answer:
    text = host.text("/sys/fs/cgroup/memory.max")
    if isinstance(text, Unreadable):
        return unknown(text)
    if not text.isdigit():
        return ok(text)
    seen = _rounded(int(text))
    return ok(seen) if int(text) >= _ROOM_BYTES else note(seen, "give the container or unit 1 GiB or more")


def _results(host: HostSnapshot) -> Answer:
    where, free = host.results_folder, host.results_free_bytes
    if isinstance(free, Unreadable):
        return unknown(free)
    if not host.results_writable:
        return lacks(f"{where} is not writable", "use --results DIR")
    seen = f"{_rounded(free)} free at {where}"
    return ok(seen) if free >= _ROOM_BYTES else lacks(seen, "free some space, or use --results DIR")


def _cpus(host: HostSnapshot) -> Answer:
    text = host.text("/sys/devices/system/cpu/online")
    return unknown(text) if isinstance(text, Unreadable) else ok(text)


def _files(host: HostSnapshot) -> Answer:
    limit = host.open_files
    if isinstance(limit, Unreadable):
        return unknown(limit)
    if limit is None:
        return ok("unlimited")
    return ok(str(limit)) if limit >= 1024 else note(str(limit), "ulimit -n 1024, or more for many boots at once")


def _setpriv(host: HostSnapshot) -> Answer:
    found = host.programs.get("setpriv")
    return ok(found) if found else lacks("not found")


def _container(host: HostSnapshot) -> Answer:
    marks = [path for path in CONTAINER_MARKS if not isinstance(host.may(path), Unreadable)]
    named = host.text("/run/systemd/container")
    if not isinstance(named, Unreadable):
        marks.append(named)
    if marks:
        return note(f"yes ({marks[0]}): devices, tracefs and the log may be shut")
    return ok("no sign of one")


def _source(host: HostSnapshot) -> Answer:
    text = host.text(f"{_TIMES}/current_clocksource")
    if isinstance(text, Unreadable):
        return unknown(text)
    return ok(text) if text in ("tsc", "kvm-clock") else note(f"{text}: reading it is slow", _SLOW_CLOCK)


def _tsc(host: HostSnapshot) -> Answer:
    bad = host.logged("Marking TSC unstable", "clocksource: Marking clocksource")
    if isinstance(bad, Unreadable):
        return unknown(bad)
    return (
        note(bad, "see the firmware's set-up; durations on this host are worth less")
        if bad
        else ok("no complaint in what is left of the log")
    )


def _frequency(host: HostSnapshot) -> Answer:
    flags = host.flags()
    if isinstance(flags, Unreadable):
        return unknown(flags)
    found = sorted(flags & {"constant_tsc", "nonstop_tsc"})
    return ok(" ".join(found)) if len(found) == 2 else note(" ".join(found) or "neither constant_tsc nor nonstop_tsc")


_CPUID_FIX = "as root: modprobe cpuid; then run doctor as root"

CHECKS = (
    Check(Group.LIMITS, "SNP ASIDs", "SNP guests at a time", _asids, FROM_SNP, fix=_CPUID_FIX, asked_of=AskedOf.SNP),
    Check(
        Group.LIMITS,
        "all ASIDs",
        "SEV guests of every kind",
        _all_asids,
        fix=_CPUID_FIX,
        asked_of=AskedOf.SNP,
    ),
    Check(
        Group.LIMITS,
        "free ASIDs",
        "SNP guests that can start now",
        _free_asids,
        FROM_SNP,
        fix="needs cgroup v2 with the controller misc",
        asked_of=AskedOf.SNP,
    ),
    Check(Group.LIMITS, "locked memory", "SEV guests that are pinned", _locked, asked_of=AskedOf.SNP),
    Check(
        Group.LIMITS,
        "memory",
        "a guest takes 256 MiB and QEMU as much again",
        _memory,
        ALL,
        fix="end something, or add memory",
    ),
    Check(Group.LIMITS, "group's memory", "bounds the boots at once", _group_memory),
    Check(Group.LIMITS, "results", "every boot is recorded", _results, ALL, fix="use --results DIR"),
    Check(Group.LIMITS, "CPUs", "boots at once", _cpus),
    Check(Group.LIMITS, "open files", "boots at once", _files),
    Check(Group.LIMITS, "setpriv", "QEMU dies with the harness", _setpriv, ALL, decides=True, fix="install util-linux"),
    Check(Group.LIMITS, "container", "what can be seen from here", _container),
    Check(Group.LIMITS, "clock source", "durations", _source),
    Check(Group.LIMITS, "TSC stable", "durations", _tsc, fix="run doctor as root"),
    Check(Group.LIMITS, "TSC frequency", "durations", _frequency),
)
