"""What a scenario needs against what a QEMU has."""

from dataclasses import replace

import pytest

from harness.errors import InputError, Unsupported
from harness.qemu.capabilities import Capabilities
from harness.qemu.support import require_machine
from harness.scenario.model import Machine

DEBIAN_12 = Capabilities(
    binary="/usr/bin/qemu-system-x86_64",
    version=(7, 2, 22),
    package="Debian 1:7.2+dfsg-7+deb12u18",
    machines={"q35": 288, "pc-q35-7.2": 288, "microvm": 288, "isapc": 1, "none": 1},
    cpus=frozenset({"max", "host", "EPYC-v4", "qemu64"}),
    types=frozenset({"virtio-rng-pci", "virtio-rng-device", "isa-debugcon", "edu", "rng-random"}),
    pci_types=frozenset({"virtio-rng-pci", "edu"}),
)


@pytest.mark.parametrize(
    "machine",
    [
        Machine(),
        Machine(type="pc-q35-7.2", vcpus=255),
        Machine(type="microvm", devices=("virtio-rng-device,rng=rng0",)),
        Machine(devices=("virtio-rng-pci,id=a,addr=4", "edu")),
        Machine(cpu="EPYC-v4,-cx16"),
        Machine(cpu="host,+x2apic"),
        Machine(min_qemu="7"),
        Machine(min_qemu="7.2"),
        Machine(min_qemu="7.2.22"),
        Machine(features=("device:edu", "machine:microvm", "object:rng-random")),
        Machine(type="isapc", vcpus=1),
    ],
)
def test_what_is_there_is_accepted(machine: Machine) -> None:
    require_machine(machine, DEBIAN_12)


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (Machine(type="virt"), "QEMU 7.2.22 has no machine type virt"),
        (Machine(type="isapc", vcpus=2), "machine type isapc takes at most 1 vCPUs, not 2"),
        (Machine(cpu="EPYC-Turin,+x2apic"), "QEMU 7.2.22 has no CPU model EPYC-Turin"),
        (Machine(devices=("nvme,serial=1",)), "QEMU 7.2.22 has no device nvme"),
        (Machine(features=("device:nvme",)), "QEMU 7.2.22 has no device nvme"),
        (Machine(features=("machine:virt",)), "QEMU 7.2.22 has no machine virt"),
        (
            Machine(features=("object:igvm-cfg",)),
            "QEMU 7.2.22 has no object igvm-cfg (QEMU 10.1 or later has it, if built with it)",
        ),
        (
            Machine(features=("object:sev-snp-guest",)),
            "QEMU 7.2.22 has no object sev-snp-guest (QEMU 9.1 or later has it, if built with it)",
        ),
        (Machine(min_qemu="8.0"), "QEMU 7.2.22 is too old (the scenario needs QEMU 8.0)"),
        (Machine(min_qemu="7.10"), "QEMU 7.2.22 is too old (the scenario needs QEMU 7.10)"),
        (Machine(min_qemu="7.2.23"), "QEMU 7.2.22 is too old (the scenario needs QEMU 7.2.23)"),
        (Machine(min_qemu="10"), "QEMU 7.2.22 is too old (the scenario needs QEMU 10)"),
    ],
)
def test_what_is_lacking_is_unsupported_and_says_what_would_do(machine: Machine, says: str) -> None:
    with pytest.raises(Unsupported) as raised:
        require_machine(machine, DEBIAN_12)
    assert str(raised.value) == says


def test_the_version_is_named_before_what_only_a_newer_one_has() -> None:
    with pytest.raises(Unsupported, match="too old"):
        require_machine(Machine(type="virt", min_qemu="9.0"), DEBIAN_12)


@pytest.mark.parametrize("kind", ["microvm", "isapc"])
def test_a_pci_device_without_a_pci_bus_is_a_contradiction(kind: str) -> None:
    with pytest.raises(InputError, match=f"edu is a PCI device, and machine type {kind} has no PCI bus"):
        require_machine(Machine(type=kind, devices=("edu",)), DEBIAN_12)


def test_a_microvm_with_pcie_has_a_pci_bus() -> None:
    require_machine(Machine(type="microvm", devices=("edu",), options=("-machine", "pcie=on")), DEBIAN_12)


def test_a_device_that_the_distribution_split_off_is_lacking() -> None:
    without = replace(DEBIAN_12, types=DEBIAN_12.types - {"edu"}, pci_types=DEBIAN_12.pci_types - {"edu"})
    with pytest.raises(Unsupported, match="no device edu"):
        require_machine(Machine(devices=("edu",)), without)
