"""A small QEMU of two CPUs that waits for its start: for tests of what is asked of a living one."""

from __future__ import annotations

import shutil

from harness.qemu.command import QemuCommand, Wiring

QEMU = shutil.which("qemu-system-x86_64") or ""


def build_waiting(wiring: Wiring) -> QemuCommand:
    """Return its command line, with a monitor if ``wiring`` has one."""
    options: list[tuple[str, ...]] = [("-machine", "q35,accel=tcg"), ("-nodefaults",), ("-display", "none")]
    options += [("-smp", "2"), ("-m", "32M"), ("-S",)]
    if wiring.monitor is not None:
        options += [("-chardev", wiring.monitor.replace(",", ",id=qmp,", 1)), ("-mon", "chardev=qmp,mode=control")]
    return QemuCommand(QEMU, tuple(options))
