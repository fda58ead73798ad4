"""Build the QEMU command line as data; pure, so that a golden file can hold every line of it.

A command is built against a :class:`Wiring`: how QEMU's character devices are reached. The harness wires them to
inherited descriptors (nothing to clean up after SIGKILL); a person pasting the line into a shell gets a terminal.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.errors import InputError
from harness.qemu.disk import Disk, disk_options, pflash_options
from harness.qemu.snp import Launch, launch_cpu, launch_machine_words, launch_options
from harness.qemu.words import escape, size
from harness.scenario.model import Machine, Payload

__all__ = [
    "Accel",
    "Guest",
    "QemuCommand",
    "Stream",
    "Wiring",
    "build_command",
    "default_cpu",
    "streams_of",
]

# ISA debug console of SeaBIOS and OVMF (SeaBIOS src/output.c DebugOutputPort; OVMF PcdDebugIoPort).
_FIRMWARE_PORT = 0x402
# kvm-unit-tests lib/x86/io.c exit(): iobase 0xf4, and QEMU's status is (value << 1) | 1.
_DEBUG_EXIT_PORT = 0xF4
# QEMU's CPU emulation before 10.0 breaks cmpxchg16b: with Debian's 7.2, `-cpu max` crashed 12 of 40 Linux boots in
# many guises, `-cpu max,-cx16` none of 40, and 10.0.2 none of 40 with it. Versions between were not measured.
_CX16_SOUND_SINCE = (10, 0)


class Accel(StrEnum):
    """Say who executes the guest's instructions."""

    TCG = "tcg"
    KVM = "kvm"


class Stream(StrEnum):
    """Name a character device of the guest; also the stem of its log file."""

    CONSOLE = "console"
    FIRMWARE = "firmware"
    REPORT = "report"
    TRACE = "trace"


@dataclass(frozen=True, slots=True)
class Guest:
    """Say what QEMU loads.

    ``kernel`` is None where firmware finds the system: on ``disk``, or an SVSM that runs alone. ``initrd`` is None for
    a bare-metal payload.
    """

    kernel: str | None
    append: str
    initrd: str | None = None
    ssh: bool = False
    disk: Disk | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """Say how QEMU's character devices are reached.

    ``chardevs`` maps a stream to the text behind ``-chardev`` less its id. ``monitor`` is the same for QMP; None gives
    a human monitor multiplexed with the console on the terminal.
    """

    chardevs: Mapping[Stream, str]
    monitor: str | None

    @classmethod
    def descriptors(cls, console_fds: Mapping[Stream, int], files: Mapping[Stream, Path], monitor_fd: int) -> Wiring:
        """Wire to inherited sockets, whose slow reader a guest waits for; and ``files`` to files that QEMU writes."""
        sockets = {stream: f"socket,fd={fd}" for stream, fd in console_fds.items()}
        written = {stream: f"file,path={escape(path)}" for stream, path in files.items()}
        return cls(sockets | written, f"socket,fd={monitor_fd}")

    @classmethod
    def terminal(cls, streams: tuple[Stream, ...]) -> Wiring:
        """Wire the console to the terminal and the other streams to files in the current folder."""
        chardevs = {stream: f"file,path={stream}.log" for stream in streams}
        return cls({**chardevs, Stream.CONSOLE: "stdio,mux=on,signal=off"}, None)


@dataclass(frozen=True, slots=True)
class QemuCommand:
    """Hold a command line: the binary, and each option with its value as one tuple."""

    binary: str
    options: tuple[tuple[str, ...], ...]

    @property
    def argv(self) -> tuple[str, ...]:
        """Flatten to the words that are executed."""
        return (self.binary, *(word for option in self.options for word in option))

    def shell(self) -> str:
        """Render for a shell, an option a line."""
        return " \\\n  ".join([shlex.quote(self.binary), *map(shlex.join, self.options)])


def default_cpu(accel: Accel, version: tuple[int, ...]) -> str:
    """Choose the CPU model where the scenario names none: everything the accelerator has that works."""
    if accel is Accel.KVM:
        return "host"
    return "max" if version >= _CX16_SOUND_SINCE else "max,-cx16"


def streams_of(machine: Machine, payload: Payload | None) -> tuple[Stream, ...]:
    """List the character devices of a guest: always its console, and what this kind of guest has besides."""
    streams = [Stream.CONSOLE]
    # A debug console is an ISA device; microvm has an ISA bus for it only with a serial port, which it always has here.
    if payload is None:
        streams.append(Stream.FIRMWARE)
    else:
        if payload.report_port == "com2":
            streams.append(Stream.REPORT)
        if payload.trace != "none":
            streams.append(Stream.TRACE)
    return tuple(streams)


def build_command(
    binary: str,
    version: tuple[int, ...],
    accel: Accel,
    machine: Machine,
    guest: Guest,
    wiring: Wiring,
    payload: Payload | None = None,
    launch: Launch | None = None,
) -> QemuCommand:
    """Build the command line of one boot; ``launch`` is not None for an SNP guest or an SVSM.

    :raise InputError: if the machine has no place for something that the scenario asks for.
    """
    options: list[tuple[str, ...]] = [
        # -nodefaults and -no-user-config: the guest has what is listed here and nothing else.
        ("-nodefaults",),
        ("-no-user-config",),
        ("-display", "none"),
        ("-machine", ",".join(_machine_words(machine, accel, launch))),
        ("-cpu", machine.cpu or (default_cpu(accel, version) if launch is None else launch_cpu(launch))),
        ("-smp", str(machine.vcpus)),
        ("-m", f"size={size(machine.memory)}"),
    ]
    if launch is not None:
        options += launch_options(launch, machine)
    if machine.type != "microvm":
        options.append(("-vga", "none"))
    if wiring.monitor is not None:
        # Start stopped: the monitor, the consoles and the trace listen before the first guest instruction.
        options.append(("-S",))
    # A guest that resets or powers off stays, stopped, until its state has been read: a reset loop ends at once. One
    # that ends QEMU with a status of its own must be let: in newer releases (seen with 10.0) isa-debug-exit is such a
    # shutdown too (hw/misc/debugexit.c), and paused it would never give its status.
    # -no-reboot, which SNP guests need, is the same reboot=shutdown (QEMU system/vl.c).
    then = "poweroff" if payload is not None and payload.debug_exit else "pause"
    options.append(("-action", f"reboot=shutdown,shutdown={then}"))
    if machine.firmware is not None:
        options.append(("-bios", machine.firmware))
    if machine.pflash is not None:
        options += pflash_options(machine.pflash)
    if guest.kernel is not None:
        options.append(("-kernel", guest.kernel))
    if guest.initrd is not None:
        options.append(("-initrd", guest.initrd))
    if guest.append:
        options.append(("-append", guest.append))
    # A device of an SNP guest reaches its memory through bounce buffers only (virtio's VIRTIO_F_ACCESS_PLATFORM).
    behind = ",disable-legacy=on,iommu_platform=on" if launch is not None and launch.encrypted else ""
    if guest.disk is not None:
        options += disk_options(guest.disk, encrypted=bool(behind))
    options += _characters(wiring, machine, payload)
    if launch is not None and payload is not None and payload.debug_exit:
        # By this device COCONUT's test build sees that it runs under a test (scripts/launch_guest.sh --unit-tests).
        options.append(("-device", "pc-testdev"))
    if guest.ssh:
        options += _network(machine, behind)
    if machine.rng:
        # From the host's pool, so that a guest without rdrand does not wait for entropy.
        options += [
            ("-object", "rng-random,id=rng0,filename=/dev/urandom"),
            ("-device", _virtio("rng", machine) + f",rng=rng0{behind}"),
        ]
    options += [("-device", device) for device in machine.devices]
    options += [(word,) for word in machine.options]
    return QemuCommand(binary, tuple(options))


def _machine_words(machine: Machine, accel: Accel, launch: Launch | None) -> list[str]:
    words = [machine.type, f"accel={accel}"]
    if launch is not None:
        words += launch_machine_words(launch)
        if machine.irqchip is None and launch.device_plane is not None:
            words.append("kernel-irqchip=split")  # KVM's own IOAPIC knows only plane 0
    if machine.irqchip is not None:
        if accel is not Accel.KVM:
            # Under TCG every interrupt controller is QEMU's own, and QEMU refuses the option's split form.
            raise InputError(
                f"machine.irqchip: {machine.irqchip} places KVM's interrupt controllers, but this boot uses {accel}; "
                "put it under platforms: kvm:"
            )
        words.append(f"kernel-irqchip={machine.irqchip}")
    return words


def _virtio(kind: str, machine: Machine) -> str:
    # microvm has virtio-mmio slots and no PCI bus (QEMU docs/system/i386/microvm).
    return f"virtio-{kind}-device" if machine.type == "microvm" else f"virtio-{kind}-pci"


def _network(machine: Machine, behind: str) -> list[tuple[str, ...]]:
    # Port 0 lets the kernel choose a free port; `info usernet` tells which, so no two boots can want the same.
    # restrict=on: the guest is reached by SSH and reaches nothing itself.
    device = _virtio("net", machine) + f",netdev=net0{behind}"
    if machine.type != "microvm":
        device += ",romfile="  # nothing boots from the network: no option ROM to run
    return [("-netdev", "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"), ("-device", device)]


def _characters(wiring: Wiring, machine: Machine, payload: Payload | None) -> list[tuple[str, ...]]:
    options: list[tuple[str, ...]] = []
    for stream, backend in wiring.chardevs.items():
        kind, _, rest = backend.partition(",")
        options.append(("-chardev", f"{kind},id={stream}" + (f",{rest}" if rest else "")))
    options.append(("-serial", f"chardev:{Stream.CONSOLE}"))
    if Stream.REPORT in wiring.chardevs:
        options.append(("-serial", f"chardev:{Stream.REPORT}"))
    if Stream.FIRMWARE in wiring.chardevs:
        options.append(("-device", f"isa-debugcon,iobase={_FIRMWARE_PORT:#x},chardev={Stream.FIRMWARE}"))
    if Stream.TRACE in wiring.chardevs:
        # A virtio console takes whole blocks; a byte at a time through a port costs an exit each (measured with the
        # VMPL model: 20 times slower).
        ports = ",max_ports=1" if machine.type != "microvm" else ""
        options.append(("-device", _virtio("serial", machine) + ports))
        options.append(("-device", f"virtconsole,chardev={Stream.TRACE}"))
    if payload is not None and payload.debug_exit:
        options.append(("-device", f"isa-debug-exit,iobase={_DEBUG_EXIT_PORT:#x},iosize=0x4"))
    if wiring.monitor is None:
        options.append(("-mon", f"chardev={Stream.CONSOLE},mode=readline"))
    else:
        kind, _, rest = wiring.monitor.partition(",")
        options += [("-chardev", f"{kind},id=qmp,{rest}"), ("-mon", "chardev=qmp,mode=control")]
    return options
