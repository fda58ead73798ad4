"""Describe what is done to a boot on purpose, so that a rare failure comes more often."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.scenario.base import Model
from harness.scenario.quantities import Bytes, DurationS

__all__ = ["Perturb"]


class Perturb(Model):
    """Perturb the start of the guest, by lots that a seed draws; everything is undone when the boot ends."""

    seed: int = Field(default=1, ge=0, description="Draws CPUs, moments and delays; each boot of a campaign adds one.")
    cpus: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Let all threads of QEMU run on this many CPUs only, which the seed chooses; fewer than vCPUs "
        "makes them wait for each other.",
    )
    pause: DurationS | None = Field(
        default=None,
        description="Stop one vCPU's thread for up to this long, again and again, while the others run (ptrace; a "
        "signal would stop all of QEMU).",
    )
    pause_every: DurationS = Field(default=0.1, description="How long it runs in between, on average.")
    memory: Bytes | None = Field(
        default=None,
        description="Let another process write to this much memory all the time: it takes caches and memory "
        "bandwidth, and pages where memory is short.",
    )
    device: Annotated[str, Field(pattern=r"^[A-Za-z0-9].*$")] | None = Field(
        default=None,
        description="Plug this device in while the guest starts, as the value of -device; it needs a bus that allows "
        "it: on q35, machine.devices: [pcie-root-port,id=late], and here virtio-rng-pci,bus=late.",
    )
    device_within: DurationS = Field(default=5.0, description="The device comes at a moment within this time.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.cpus is None and self.pause is None and self.memory is None and self.device is None:
            raise ValueError("perturb does nothing; give it cpus, pause, memory or device")
        return self
