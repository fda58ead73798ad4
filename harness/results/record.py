"""Define what is written of each boot: the record in its folder, and its line in ``boots.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from harness.checks.base import Status, Verdict
from harness.classify.outcome import Outcome
from harness.evidence.records import Loss, Mark, QemuEnd, StepFact

__all__ = ["BootHost", "BootIdentity", "BootLine", "BootRecord", "RawSample", "boot_line_json", "boot_record_json"]


@dataclass(frozen=True, slots=True)
class BootIdentity:
    """Say which boot it was: a variant of a scenario on a platform.

    ``variant`` is the full id, such as ``boot[vcpus=2,type=q35]``. ``file`` is the scenario's file as it was named.
    ``turn`` is the boot's place in a stability campaign, from 1; None: it is part of none.
    """

    scenario: str
    variant: str
    slug: str
    file: str
    platform: str
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class BootHost:
    """Say where QEMU ran.

    ``kind`` is local, ssh or virtual; ``kernel`` is ``uname -r`` there. ``clock_offset_s`` is how far its
    CLOCK_MONOTONIC, which stamps traces, is ahead of ours, and may be off by ``clock_uncertainty_s``; None: unknown.
    """

    name: str
    kind: str
    kernel: str
    cpu: str
    clock_offset_s: float | None
    clock_uncertainty_s: float | None


@dataclass(frozen=True, slots=True)
class RawSample:
    """Hold the text of ``/proc/interrupts`` and of the list of online CPUs, as the guest gave them."""

    label: str
    at_s: float
    interrupts: str
    online: str


@dataclass(frozen=True, slots=True)
class BootRecord:
    """Hold everything of a boot that is not a log: ``boots/N/boot.json``.

    ``setting`` is the resolved scenario as JSON, which :func:`harness.scenario.load_setting` reads back.
    ``reports`` is how the payload reports (``ktap``, ``kvm-unit-tests``; None: it does not), ``report_stream`` the log
    that holds it. ``marks`` are the milestones that no console shows. ``received_bytes`` counts what arrived from each
    character device; a log that is shorter was cut. ``provenance`` maps a part (kernel, initramfs, QEMU) to its digest
    or version. ``host`` is None in the records of harnesses that knew no host but the local one.
    """

    identity: BootIdentity
    setting: Mapping[str, JsonValue]
    qemu: str
    accel: str
    vcpus: int
    debug_exit: bool
    reports: str | None
    report_stream: str
    started_utc: str
    duration_s: float
    marks: tuple[Mark, ...]
    steps: tuple[StepFact, ...]
    losses: tuple[Loss, ...]
    ready_s: float | None
    gave_up_s: float | None
    gave_up_why: str
    qemu_end: QemuEnd | None
    received_bytes: Mapping[str, int]
    provenance: Mapping[str, str]
    host: BootHost | None = None


@dataclass(frozen=True, slots=True)
class BootLine:
    """Be one line of ``boots.jsonl``: what became of one planned boot.

    ``folder`` is the boot's folder inside the run's, None where nothing was booted. ``outcome`` is None there too.
    """

    identity: BootIdentity
    folder: str | None
    status: Status
    reason: str
    verdicts: tuple[Verdict, ...]
    outcome: Outcome | None
    duration_s: float


boot_record_json: TypeAdapter[BootRecord] = TypeAdapter(BootRecord)
boot_line_json: TypeAdapter[BootLine] = TypeAdapter(BootLine)
