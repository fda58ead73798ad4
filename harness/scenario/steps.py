"""Define the steps of a scenario: what is done to a booted guest, in order.

In the file a step is a mapping of one key (``- qmp: {execute: inject-nmi}``); here it is one frozen model a kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from harness.scenario.base import Keyed, Model
from harness.scenario.quantities import ConsolePattern, DurationS, GuestPath, one_of_or_whole_number

__all__ = [
    "STEPS",
    "CpuCyclesStep",
    "DownloadStep",
    "GuestStep",
    "InterruptIncrease",
    "KvmSelftestsStep",
    "Pace",
    "QmpStep",
    "SleepStep",
    "Step",
    "StimulusStep",
    "TpmCommandsStep",
    "TsmReportsStep",
    "UploadStep",
    "WaitStep",
]


class Step(Keyed):
    """Be the root of all steps."""

    name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*)?$",
        description="Name of the step, unique in the scenario; checks refer to it with during. Left out: the step's "
        "own key if no other step has it, else the key with a number.",
    )
    within: DurationS | None = Field(
        default=None, description="Time limit of this step. Left out: what is left of the scenario's timeout."
    )


class Pace(Model):
    """Wait for the guest after each repetition."""

    source: str = Field(min_length=1, description="Interrupt source as /proc/interrupts names it, such as i8042.")
    each: int = Field(ge=1, description="How many interrupts of that source one repetition causes.")


class QmpStep(Step):
    """Send a QMP command to QEMU, once or many times."""

    key: ClassVar[str] = "qmp"
    scalar_field: ClassVar[str | None] = "execute"
    execute: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9._-]*$", description="QMP command, such as send-key or inject-nmi."
    )
    arguments: Mapping[str, JsonValue] = Field(default={}, description="The command's arguments.")
    repeat: int = Field(default=1, ge=1, le=1_000_000, description="How often to send it.")
    paced_by: Pace | None = Field(
        default=None,
        description="After each repetition, wait until the guest has counted this many more interrupts.",
    )


class GuestStep(Step):
    """Run a command in the guest over SSH."""

    key: ClassVar[str] = "guest"
    scalar_field: ClassVar[str | None] = "run"
    run: str = Field(min_length=1, description="Command for the guest's shell. Write $${NAME} for a shell variable.")
    status: Annotated[
        int | Literal["any"], BeforeValidator(one_of_or_whole_number("any", 0, 255))
    ] = Field(default=0, description="Exit status that it must have, or any.")  # fmt: skip


class InterruptIncrease(Model):
    """Wait for interrupts that the guest counts."""

    source: str = Field(min_length=1, description="Interrupt source as /proc/interrupts names it, such as i8042.")
    increase: int = Field(ge=1, description="How many more than when the step began.")


class WaitStep(Step):
    """Wait until something has happened: exactly one of console, event, milestone, interrupts."""

    key: ClassVar[str] = "wait"
    console: ConsolePattern | None = Field(default=None, description="Regular expression on the console's output.")
    event: str | None = Field(
        default=None, pattern=r"^[A-Z][A-Z0-9_]*$", description="QMP event.", examples=["SHUTDOWN", "RESET"]
    )
    milestone: str | None = Field(
        default=None, pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Milestone of the start-up.", examples=["ready"]
    )
    interrupts: InterruptIncrease | None = Field(default=None, description="A number of interrupts in the guest.")

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        kinds = ("console", "event", "milestone", "interrupts")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            raise ValueError(f"wait takes exactly one of {', '.join(kinds)}; here is {found}")
        return self


class UploadStep(Step):
    """Copy a file from this machine into the guest."""

    key: ClassVar[str] = "upload"
    from_path: str = Field(
        validation_alias="from", serialization_alias="from", min_length=1, description="Path on this machine."
    )
    to: GuestPath = Field(description="Path in the guest.")
    mode: str = Field(default="0644", pattern=r"^0?[0-7]{3,4}$", description='Permissions in octal, in quotes: "0755".')


class DownloadStep(Step):
    """Copy a file from the guest into the boot's folder under results/."""

    key: ClassVar[str] = "download"
    from_path: GuestPath = Field(validation_alias="from", serialization_alias="from", description="Path in the guest.")
    to: str = Field(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=100, description="File name in the boot's folder."
    )


class SleepStep(Step):
    """Let time pass where nothing can be waited for, and say why."""

    key: ClassVar[str] = "sleep"
    settle: DurationS = Field(description="How long.")
    why: str = Field(min_length=1, description="Why no event can be waited for.")


class KvmSelftestsStep(Step):
    """Run the kernel's own KVM selftests (tools/testing/selftests/kvm) on the host, one after the other."""

    key: ClassVar[str] = "kvm_selftests"
    scalar_field: ClassVar[str | None] = "folder"
    folder: str = Field(
        min_length=1,
        description="Folder on this machine with the built programs, also in folders below it. They are copied to the "
        "host, so they must be linked statically or find their libraries there.",
    )
    only: tuple[str, ...] = Field(
        default=(),
        description="Names of the programs, or patterns with * and ?; each must match one. Left out: all.",
        examples=[["sev_*", "svm_vmcall_test"]],
    )
    timeout: DurationS = Field(default=120.0, description="Time limit of each program.")


class StimulusStep(Step):
    """Be the root of the steps that do a known number of things in the guest, by a tool that the harness puts there.

    The tool (guest_payloads/linux/stimulus.c) prepares first and prints last, so that the host counts only them.
    """

    count: int = Field(ge=1, le=1_000_000, description="How often.")

    @property
    def arguments(self) -> str:
        """Return what the tool is told."""
        raise NotImplementedError


class TpmCommandsStep(StimulusStep):
    """Send raw commands to /dev/tpm0: one vTPM call of the SVSM each."""

    key: ClassVar[str] = "tpm_commands"
    scalar_field: ClassVar[str | None] = "count"

    @property
    def arguments(self) -> str:
        """Return what the tool is told."""
        return f"tpm {self.count}"


class TsmReportsStep(StimulusStep):
    """Ask for attestation reports by configfs-tsm."""

    key: ClassVar[str] = "tsm_reports"
    scalar_field: ClassVar[str | None] = "count"
    service_provider: Literal["svsm"] | None = Field(
        default=None,
        description="svsm asks the SVSM, one call each. Left out: the firmware is asked, without an SVSM call.",
    )

    @property
    def arguments(self) -> str:
        """Return what the tool is told."""
        return f"reports {self.count}" + (f" {self.service_provider}" if self.service_provider else "")


class CpuCyclesStep(StimulusStep):
    """Take a CPU of the guest offline and online again: each time DELETE_VCPU and CREATE_VCPU of the SVSM."""

    key: ClassVar[str] = "cpu_offline_online"
    cpu: int = Field(default=1, ge=1, description="Which CPU; CPU 0 stays.")

    @property
    def arguments(self) -> str:
        """Return what the tool is told."""
        return f"cpu {self.count} {self.cpu}"


_KINDS = (
    QmpStep,
    GuestStep,
    WaitStep,
    UploadStep,
    DownloadStep,
    SleepStep,
    TpmCommandsStep,
    TsmReportsStep,
    CpuCyclesStep,
    KvmSelftestsStep,
)
#: Every kind of step by its key.
STEPS: Mapping[str, type[Step]] = {step.key: step for step in _KINDS}
