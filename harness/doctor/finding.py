"""Say what a check is, what it finds, and what all findings add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from harness.doctor.snapshot import HostSnapshot, Unreadable
from harness.scenario.model import Platform

__all__ = [
    "ALL",
    "FROM_KVM",
    "FROM_SNP",
    "FROM_TCG",
    "MODEL",
    "SVSM",
    "WITH_IGVM",
    "Answer",
    "AskedOf",
    "Check",
    "Finding",
    "Group",
    "Report",
    "State",
    "lacks",
    "note",
    "ok",
    "unknown",
]


class Group(StrEnum):
    """Name the groups; their order is the order of causes: what is wrong above is felt below."""

    CPU = "CPU"
    FIRMWARE = "firmware and RMP"
    IOMMU = "IOMMU"
    KERNEL = "kernel and parameters"
    FLAVOUR = "KVM flavour"
    QEMU = "QEMU and IGVM"
    GUEST = "guest parts"
    TRACING = "tracing"
    LIMITS = "limits"


class State(StrEnum):
    """Say how a finding stands."""

    OK = "ok"
    #: It works, and somebody should know it.
    NOTE = "note"
    #: It was seen to be missing.
    LACKS = "lacks"
    #: It could not be read. Never a pass.
    UNKNOWN = "unknown"
    #: It was not looked at: this host is of another kind.
    SKIPPED = "-"


class AskedOf(IntEnum):
    """Name the kinds of host, each a part of the one before; a host of unknown kind is asked everything."""

    ANY = 0
    AMD = 1
    #: The CPU can do SEV-SNP, whether or not it is on.
    SNP = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what one look gave: ``value`` as raw as it reads well, ``fix`` if it is another than the check's own."""

    state: State
    value: str
    fix: str | None = None


def ok(value: str) -> Answer:
    """Answer that all is well."""
    return Answer(State.OK, value)


def note(value: str, fix: str | None = None) -> Answer:
    """Answer that it works, with something to know."""
    return Answer(State.NOTE, value, fix)


def lacks(value: str, fix: str | None = None) -> Answer:
    """Answer that it was seen to be missing."""
    return Answer(State.LACKS, value, fix)


def unknown(reading: Unreadable | str, fix: str | None = None) -> Answer:
    """Answer that it could not be read."""
    return Answer(State.UNKNOWN, reading.why if isinstance(reading, Unreadable) else reading, fix)


MODEL = frozenset({Platform.MODEL})
SVSM = frozenset({Platform.SVSM})
FROM_SNP = SVSM | {Platform.SNP}
FROM_KVM = FROM_SNP | {Platform.KVM}
FROM_TCG = FROM_KVM | {Platform.TCG}
# COCONUT without SNP needs an IGVM file and a QEMU that loads it, and nothing of what a Linux guest needs.
WITH_IGVM = SVSM | {Platform.NOCC}
ALL = FROM_TCG | MODEL | {Platform.NOCC}


@dataclass(frozen=True, slots=True)
class Check:
    """Ask one question of a snapshot.

    ``grades`` cannot be reached if the answer is LACKS (empty: none depends on it). ``decides``: they cannot be reached
    either while the answer is UNKNOWN; without it, another check decides, and this one only tells the reason.
    ``asked_of``: the kind of host that the question makes sense for.
    """

    group: Group
    name: str
    means: str
    look: Callable[[HostSnapshot], Answer]
    grades: frozenset[Platform] = frozenset()
    decides: bool = False
    fix: str = ""
    asked_of: AskedOf = AskedOf.ANY


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one answer with the check that it is of.

    ``blocks`` are the grades that cannot be reached for it. ``fix`` is empty where nothing needs doing.
    """

    group: Group
    name: str
    state: State
    value: str
    means: str
    grades: tuple[Platform, ...]
    blocks: tuple[Platform, ...]
    fix: str


@dataclass(frozen=True, slots=True)
class Report:
    """Hold all findings, the best grade that the host reaches (None: none), and what is in the way of the next one.

    ``in_the_way`` is None only if no grade is left.
    """

    findings: tuple[Finding, ...]
    best: Platform | None
    next: Platform | None
    in_the_way: Finding | None
