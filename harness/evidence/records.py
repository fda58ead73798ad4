"""Hold what was observed in one boot, as frozen values that serialise to JSON and back.

Times are seconds since QEMU was started, measured on CLOCK_MONOTONIC of the machine that ran the harness.
"""

from __future__ import annotations

import json
import mmap
from dataclasses import dataclass
from enum import StrEnum

from harness.evidence.host import HostEvidence, KvmSample
from harness.evidence.interrupts import InterruptTable
from harness.evidence.subresults import Report
from harness.evidence.trace import TraceFacts
from harness.evidence.vitals import Vitals

__all__ = [
    "HOST",
    "BootFacts",
    "Chunk",
    "ConsoleText",
    "Loss",
    "Mark",
    "QemuEnd",
    "QmpEvent",
    "Sample",
    "StepFact",
    "StepStatus",
]

# A console can be hundreds of megabytes: it is mapped, never read into memory. `re` takes both.
ConsoleText = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Chunk:
    """Say when the console had grown to ``end_offset`` bytes."""

    end_offset: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Name a milestone of start-up and when it was first seen."""

    milestone: str
    at_s: float


@dataclass(frozen=True, slots=True)
class QmpEvent:
    """Keep one asynchronous QMP event; ``data`` is its JSON text, ``{}`` where it has none."""

    at_s: float
    name: str
    data: str

    def text(self, key: str) -> str | None:
        """Return the text under ``key`` of its data; None if there is none, or it is no text."""
        value = json.loads(self.data).get(key)
        return value if isinstance(value, str) else None


class StepStatus(StrEnum):
    """Say how far a step came."""

    DONE = "done"
    FAILED = "failed"
    LATE = "late"
    REFUSED = "refused"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class StepFact:
    """Record one step of the scenario.

    ``reason`` is empty for a step that was done. ``exit_status`` is the guest command's, None where the step runs
    none or the command never ended. ``output`` is what the command wrote, standard output first.
    """

    index: int
    name: str
    kind: str
    status: StepStatus
    reason: str = ""
    begin_s: float | None = None
    end_s: float | None = None
    exit_status: int | None = None
    output: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Record what the guest said of itself at one moment: interrupt counts and the CPUs that are online.

    ``label`` is ``ready``, ``before STEP``, ``after STEP`` or ``end``.
    """

    label: str
    at_s: float
    interrupts: InterruptTable
    online: tuple[int, ...]


#: What a loss is called that takes everything with it: the host was lost, and nobody knows what came after.
HOST = "host"


@dataclass(frozen=True, slots=True)
class Loss:
    """Name a part of the evidence that is known to be missing, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        """Render for a verdict's reason."""
        return f"{self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class QemuEnd:
    """Say how the QEMU process ended: its exit status, negative for a signal, and whether the harness asked for it."""

    status: int
    asked: bool


@dataclass(frozen=True, slots=True)
class BootFacts:
    """Gather everything that was observed in one boot.

    ``ready_s`` is when the guest was first usable (SSH answered, or the payload said so); None: never.
    ``gave_up_s`` is when the deadline passed; None: it did not. ``gave_up_why`` is what SSH said last, if it came to
    that. ``qemu_end`` is None only if QEMU outlived the record, which is a loss. ``stderr`` is QEMU's own.
    ``debug_exit`` says that the guest had a device by which it can end QEMU with a status of its own. ``trace`` and
    ``report`` are None for a guest that has none. ``vitals`` are None where the guest was not given up. ``growth`` says
    when the consoles grew, in the order of time; of a long boot only the end.
    ``host`` is what its kernel knows of the boot, None where it was not asked (a guest without KVM). ``kvm_samples``
    are KVM's statistics by phase.
    """

    platform: str
    vcpus: int
    marks: tuple[Mark, ...]
    steps: tuple[StepFact, ...]
    samples: tuple[Sample, ...]
    events: tuple[QmpEvent, ...]
    console: ConsoleText
    stderr: str
    losses: tuple[Loss, ...]
    ready_s: float | None
    gave_up_s: float | None
    qemu_end: QemuEnd | None
    gave_up_why: str = ""
    debug_exit: bool = False
    trace: TraceFacts | None = None
    report: Report | None = None
    host: HostEvidence | None = None
    kvm_samples: tuple[KvmSample, ...] = ()
    vitals: Vitals | None = None
    growth: tuple[Chunk, ...] = ()

    def step(self, name: str) -> StepFact | None:
        """Find a step by its name; None if the scenario has no such step."""
        return next((step for step in self.steps if step.name == name), None)

    def kvm_sample(self, label: str) -> KvmSample | None:
        """Find KVM's statistics by their label; None if they were never read then."""
        return next((sample for sample in self.kvm_samples if sample.label == label), None)

    def sample(self, label: str) -> Sample | None:
        """Find a sample by its label; None if it was never taken."""
        return next((sample for sample in self.samples if sample.label == label), None)
