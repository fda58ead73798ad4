"""Hold a scenario's machine against what this QEMU has; pure, over :class:`Capabilities`."""

from __future__ import annotations

from harness.errors import InputError, Unsupported
from harness.qemu.capabilities import Capabilities
from harness.scenario.model import Machine

__all__ = ["require_machine"]

# The first QEMU release with a type, for the sentence that says what would do. From QEMU's release notes; a type that
# is not listed gets no version rather than a guess.
_SINCE = {
    "microvm": "4.2",
    "sev-guest": "2.12",
    "sev-snp-guest": "9.1",
    "igvm-cfg": "10.1",
}
_PCI_FREE_MACHINES = ("microvm", "none", "isapc")
# A microvm gets a PCIe bus by `-machine pcie=on` (QEMU docs/system/i386/microvm).
_PCIE = "pcie=on"


def require_machine(machine: Machine, capabilities: Capabilities) -> None:
    """Check that this QEMU can make the machine.

    :raise Unsupported: if it lacks something, with the QEMU that would do where that is known.
    :raise InputError: if no QEMU could make it: the scenario contradicts itself.
    """
    _require_version(machine, capabilities)
    _require(machine.type, "machine type", machine.type in capabilities.machines, capabilities)
    most = capabilities.machines[machine.type]
    if machine.vcpus > most:
        raise Unsupported(f"machine type {machine.type} takes at most {most} vCPUs, not {machine.vcpus}")
    if machine.cpu is not None:
        model = machine.cpu.split(",")[0]
        _require(model, "CPU model", model in capabilities.cpus, capabilities)
    pci_free = machine.type in _PCI_FREE_MACHINES and not any(_PCIE in option for option in machine.options)
    for device in machine.devices:
        driver = device.split(",")[0]
        _require(driver, "device", driver in capabilities.types, capabilities)
        if driver in capabilities.pci_types and pci_free:
            raise InputError(
                f"machine.devices: {driver} is a PCI device, and machine type {machine.type} has no PCI bus; "
                "use the virtio-…-device form, or machine: {type: q35}"
            )
    for feature in machine.features:
        kind, _, name = feature.partition(":")
        known = name in capabilities.machines if kind == "machine" else name in capabilities.types
        _require(name, kind, known, capabilities)


def _require_version(machine: Machine, capabilities: Capabilities) -> None:
    if machine.min_qemu is not None:
        wanted = tuple(map(int, machine.min_qemu.split(".")))
        if capabilities.version < wanted:
            raise Unsupported(
                f"QEMU {capabilities.version_text} is too old", f"the scenario needs QEMU {machine.min_qemu}"
            )


def _require(name: str, kind: str, known: bool, capabilities: Capabilities) -> None:
    if not known:
        since = _SINCE.get(name)
        raise Unsupported(
            f"QEMU {capabilities.version_text} has no {kind} {name}",
            None if since is None else f"QEMU {since} or later has it, if built with it",
        )
