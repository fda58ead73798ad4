"""The hosts, and short ways to change one reading and ask one check.

The trees have the form that a recorded host has, but none was recorded: they are written from the formats that the
kernel's documentation and sources give. The CPUID of turin is that of an EPYC 9115; the other values are plausible, no
more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from harness.doctor.collect import collect
from harness.doctor.cpu import SEV_LEAF
from harness.doctor.finding import Answer, Finding, Report
from harness.doctor.judge import CHECKS
from harness.doctor.snapshot import HostSnapshot, Unreadable

HOSTS = Path(__file__).parent / "hosts"
NAMES = sorted(folder.name for folder in HOSTS.iterdir())
DENIED = Unreadable("permission denied; run as root")
GONE = Unreadable("it is not there", absent=True)


@cache
def host(name: str = "milan") -> HostSnapshot:
    return collect(HOSTS / name)


def ask(check: str, snapshot: HostSnapshot) -> Answer:
    """Ask the check of this name alone."""
    (found,) = (one for one in CHECKS if one.name == check)
    return found.look(snapshot)


def finding(report: Report, name: str) -> Finding:
    (found,) = (one for one in report.findings if one.name == name)
    return found


def with_file(path: str, reading: str | Unreadable, name: str = "milan") -> HostSnapshot:
    return replace(host(name), files={**host(name).files, path: reading})


def with_folder(path: str, reading: frozenset[str] | Unreadable, name: str = "milan") -> HostSnapshot:
    return replace(host(name), folders={**host(name).folders, path: reading})


def with_log(*lines: str) -> HostSnapshot:
    return replace(host(), log=lines)


def with_leaf(**registers: int) -> HostSnapshot:
    leaf = host().leaf(SEV_LEAF)
    assert not isinstance(leaf, Unreadable)
    return replace(host(), cpuid={SEV_LEAF: replace(leaf, **registers)})


def with_cpu(key: str, value: str) -> HostSnapshot:
    return with_file("/proc/cpuinfo", f"vendor_id\t: AuthenticAMD\nflags\t: svm\n{key}\t: {value}")
