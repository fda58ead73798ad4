"""Define the sections of a scenario: the machine, what runs in it, and how often.

The descriptions of the fields are the reference that users read (in their editor, by way of schema.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator

from harness.scenario.base import Model
from harness.scenario.quantities import Bytes, GuestPath, Rate

__all__ = ["Guest", "Machine", "Payload", "Pflash", "Platform", "Stability"]


class Platform(StrEnum):
    """Name what a verdict rests on, weakest first; a pass on one is never shown as a pass on another."""

    MODEL = "model"
    #: An SVSM without SNP (COCONUT's --nocc): the real SVSM, but no VMPL below it and no guest above. It stands below
    #: tcg, because nothing that it shows is about a guest, and far below snp and svsm, because nothing is about SNP.
    NOCC = "nocc"
    TCG = "tcg"
    KVM = "kvm"
    SNP = "snp"
    SVSM = "svsm"

    @property
    def rank(self) -> int:
        """Count from 0 for the weakest; more is better evidence."""
        return list(Platform).index(self)


_Required = Annotated[str, Field(pattern=r"^(device|machine|object):[A-Za-z0-9._,-]+$")]
_ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


def _device(value: str) -> str:
    if not value or value.startswith("-"):
        raise ValueError(f"{value!r} is no device; write only the value of -device, such as virtio-rng-pci")
    return value


_Device = Annotated[str, AfterValidator(_device)]


class Pflash(Model):
    """Name firmware in flash, such as OVMF; neither file is ever written."""

    code: str = Field(min_length=1, description="Path of the code, such as /usr/share/OVMF/OVMF_CODE_4M.fd.")
    vars: str | None = Field(
        default=None,
        min_length=1,
        description="Path of the variable store; what a boot writes to it is thrown away. Left out: there is none.",
    )


class Machine(Model):
    """Describe the virtual machine that QEMU makes."""

    type: str = Field(
        default="q35",
        pattern=r"^[a-z0-9][A-Za-z0-9._-]*$",
        description="QEMU's machine type: q35, microvm, pc, none, or a versioned one such as pc-q35-8.2.",
        examples=["q35", "microvm", "pc", "none"],
    )
    vcpus: int = Field(default=1, ge=1, le=255, description="Number of virtual CPUs, 1 to 255.")
    memory: Bytes = Field(default=256 << 20, description="Memory of the guest with its unit, such as 512M.")
    accel: Literal["auto", "tcg", "kvm"] = Field(
        default="auto",
        description="auto follows the platform: tcg emulates the CPU; kvm, snp and svsm need KVM.",
    )
    cpu: str | None = Field(
        default=None,
        min_length=1,
        description="QEMU's -cpu with its flags, such as max,-cx16. Left out: the harness picks one that works.",
    )
    irqchip: Literal["on", "split", "off"] | None = Field(
        default=None,
        description='Where the interrupt controllers live: "on" in KVM, split, "off" in QEMU (quote on and off, '
        "which YAML would take for true and false). Left out: QEMU's default.",
    )
    firmware: str | None = Field(
        default=None, min_length=1, description="Path of the firmware image (-bios). Left out: QEMU's default."
    )
    pflash: Pflash | None = Field(default=None, description="Firmware in flash, in place of -bios.")
    devices: tuple[_Device, ...] = Field(
        default=(), description="Further devices, each as the value of one -device: virtio-rng-pci,id=rng0."
    )
    options: tuple[str, ...] = Field(
        default=(), description="Further arguments for QEMU as they are, one list entry for each: [-d, int]."
    )
    network: bool = Field(default=True, description="Give the guest a network card on QEMU's user network.")
    features: tuple[_Required, ...] = Field(
        default=(),
        description="What this QEMU must have, as device:NAME, machine:NAME or object:NAME; if it has not, "
        "the verdict is UNSUPPORTED.",
        examples=[["device:virtio-rng-pci", "object:sev-snp-guest"]],
    )
    qemu: str | None = Field(
        default=None,
        min_length=1,
        description="The QEMU that boots it, on the host where it boots: a path, or a name on its PATH. Left out: the "
        "host's (SVSM_HARNESS_QEMU, or qemu: of its entry in ci/hosts.yaml).",
        examples=["build/qemu-system-x86_64"],
    )
    rng: bool = Field(default=False, description="Give the guest a virtio random number source.")
    min_qemu: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+){0,2}$",
        description='The oldest QEMU that will do, in quotes: "8.2". An older one makes the verdict UNSUPPORTED.',
    )


class Guest(Model):
    """Describe the Linux guest: its kernel, and what the initramfs that the harness builds holds."""

    kernel: str | None = Field(
        default=None,
        min_length=1,
        description="Path of the kernel (bzImage, or a vmlinux with a PVH entry). Left out: the newest readable "
        "one in /boot, else the distribution's cloud kernel.",
    )
    initrd: str | None = Field(
        default=None,
        min_length=1,
        description="Path of an initramfs that belongs to the system on guest.disk and finds its root; only with "
        "disk and kernel. Left out: none.",
    )
    disk: str | None = Field(
        default=None,
        min_length=1,
        description="Path of a disk image (raw or qcow2) with a system that has cloud-init; it is never written. The "
        "harness adds a seed with this boot's SSH keys. Left out: the harness's own initramfs.",
    )
    disk_format: Literal["auto", "raw", "qcow2"] = Field(
        default="auto", description="Format of the disk; auto looks at its first bytes."
    )
    modules: str | None = Field(
        default=None,
        min_length=1,
        description="Folder of the kernel's modules (the one that holds modules.dep). Left out: found by the "
        "kernel's version.",
    )
    unpack: bool = Field(
        default=False,
        description="Unpack the kernel on this machine, once, and start it by its PVH entry: under emulation a "
        "distribution kernel is up 3 s sooner. The decompressor and KASLR are then not part of the test.",
    )
    append: str = Field(default="", description="Added to the kernel's command line.", examples=["nokaslr"])
    init: str | None = Field(
        default=None,
        min_length=1,
        description="Path of a script or program that the guest runs in place of the harness's payload step.",
    )
    ssh: bool = Field(default=True, description="Run an SSH server in the guest; steps and checks that need it say so.")
    extra_modules: tuple[_ModuleName, ...] = Field(
        default=(), description="Names of kernel modules to load, with all that they need."
    )
    files: Mapping[GuestPath, str] = Field(
        default={},
        description="Files to put into the initramfs, or on the disk by its seed: path in the guest → path on this "
        "machine.",
    )


_Fault = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(:(0|1|[01]?\.\d+)(:\d+)?)?$")]
_ArgumentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]


class Payload(Model):
    """Describe a bare-metal payload that runs in place of Linux."""

    image: str = Field(
        min_length=1,
        description="Name of a payload that this project builds, such as vmpl_model, or the path of an image; svsm is "
        "the SVSM alone, with its own tests where it is built with them.",
        examples=["vmpl_model"],
    )
    args: Annotated[str, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})] = Field(
        default="", description="Arguments: text, or a mapping that is passed on as key=value separated by spaces."
    )
    reports: Literal["ktap", "kvm-unit-tests", "svsm-tests", "none"] = Field(
        default="ktap",
        description="How the payload says what it found: KTAP, kvm-unit-tests' report lines, the "
        "lines of COCONUT's in-SVSM tests, or not.",
    )
    report_port: Literal["com2", "console", "none"] = Field(
        default="com2", description="Where its report comes out: the second serial port, the console, or nowhere."
    )
    debug_exit: bool = Field(default=False, description="Add isa-debug-exit, so that the payload can end QEMU.")
    trace: Literal["none", "mainline", "tom", "roy", "planes-6.17", "planes-v1"] = Field(
        default="none", description="Whose KVM tracepoints the payload's own event log is written as."
    )

    faults: tuple[_Fault, ...] = Field(
        default=(),
        strict=False,  # the validator below hands on Python's list, which is no tuple
        description="Faults that the VMPL model shall have: NAME, NAME:RATE, or NAME:RATE:AFTER. Left out: none.",
        examples=[["irq-lost:0.1"]],
    )
    seed: int = Field(default=1, ge=0, description="Decides which opportunities a fault's rate takes.")

    @property
    def command_line(self) -> str:
        """Return all that the payload is told: its arguments, and the faults that are asked for."""
        faults = [f"fault={fault}" for fault in self.faults]
        return " ".join(filter(None, [self.args, *faults, f"seed={self.seed}" if faults else ""]))

    @model_validator(mode="before")
    @classmethod
    def _svsm_alone(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        # Behind a validator like this one, pydantic no longer knows that a list came from JSON, and refuses it.
        data = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        # COCONUT prints all on its console, its tests as well.
        return {"reports": "none", "report_port": "console", **data} if data.get("image") == "svsm" else data

    @field_validator("args", mode="before")
    @classmethod
    def _rendered(cls, args: object) -> object:
        if not isinstance(args, Mapping):
            return args
        rendered = []
        for name, value in args.items():
            if isinstance(value, Mapping | list) or value is None:
                raise ValueError(f"the argument {name!r} must be text, a number, true or false")
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if not text or any(character.isspace() for character in f"{name}{text}"):
                raise ValueError(f"{name}={text!r} would fall apart: arguments are separated by spaces")
            rendered.append(f"{name}={text}")
        return " ".join(rendered)


class Stability(Model):
    """Ask for many boots and a limit on how many may fail."""

    boots: int = Field(ge=1, le=1_000_000, description="How many boots to make.")
    max_failure_rate: Rate = Field(description="The failure rate that must not be exceeded, such as 5%.")
    confidence: Rate = Field(default=0.95, description="How sure to be of that, such as 95%.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not 0 < self.confidence < 1:
            raise ValueError("confidence must be above 0% and below 100%")
        return self
