"""Hold what one boot has while it runs: the machine, the way in, and what was observed so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.boot.host_watch import HostWatch
from harness.boot.recorder import Recorder
from harness.boot.vitals import Observer
from harness.clock import Deadline
from harness.errors import HarnessBug
from harness.evidence.interrupts import InterruptTable, parse_interrupts
from harness.evidence.records import Loss, Mark, StepFact, StepStatus
from harness.guest.sampler import Sampler
from harness.guest.ssh import GuestShell
from harness.host.protocol import QemuHost
from harness.qemu.machine import VirtualMachine
from harness.results.record import RawSample

__all__ = ["BootContext", "Progress", "Report"]

_INTERRUPTS = "/proc/interrupts"
_ONLINE = "/sys/devices/system/cpu/online"


@dataclass(frozen=True, slots=True)
class Progress:
    """Say where a boot is: the phase that it is in, and the last line that its console printed."""

    phase: str
    line: str


Report = Callable[[Progress], None]


@dataclass
class BootContext:
    """Be the running boot; ``shell`` and ``sampler`` are None until the guest answered, and for guests without SSH.

    ``image`` is what was booted; ``release`` is the kernel's, empty for a payload. ``recorder`` is None where none runs
    (or not yet), ``host_watch`` for a guest without KVM. ``fails`` names the check that fails a boot that went well, as
    far as it was judged already; empty: none is known to.
    """

    machine: VirtualMachine
    folder: Path
    observer: Observer
    host: QemuHost
    image: Path | None = None
    release: str = ""
    recorder: Recorder | None = None
    host_watch: HostWatch | None = None
    shell: GuestShell | None = None
    sampler: Sampler | None = None
    marks: list[Mark] = field(default_factory=list)
    steps: list[StepFact] = field(default_factory=list)
    samples: list[RawSample] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    ready_s: float | None = None
    gave_up_s: float | None = None
    gave_up_why: str = ""
    fails: str = ""

    @property
    def went_wrong(self) -> bool:
        """Tell whether the guest never became ready, was given up, or did not do a step."""
        return (
            self.ready_s is None
            or self.gave_up_s is not None
            or any(step.status is not StepStatus.DONE for step in self.steps)
        )

    def mark(self, milestone: str) -> None:
        """Note that a milestone that no console shows was reached now."""
        self.marks.append(Mark(milestone, self.machine.now_s()))

    async def interrupts(self, deadline: Deadline) -> InterruptTable:
        """Read the guest's interrupt counts now.

        :raise SshError, TimeoutError: if the guest does not answer.
        """
        text = await self._read([_INTERRUPTS], deadline)
        return parse_interrupts(text[_INTERRUPTS])

    async def sample(self, labels: list[str], deadline: Deadline) -> None:
        """Keep one reading of the guest's counts under each of ``labels``.

        :raise SshError, TimeoutError: if the guest does not answer.
        """
        at_s = self.machine.now_s()
        text = await self._read([_INTERRUPTS, _ONLINE], deadline)
        self.samples += [RawSample(label, at_s, text[_INTERRUPTS], text[_ONLINE]) for label in labels]

    async def _read(self, paths: list[str], deadline: Deadline) -> dict[str, str]:
        if self.sampler is None:
            raise HarnessBug("the guest is sampled before it answers")
        return {path: data.decode() for path, data in (await self.sampler.read(paths, deadline)).items()}
