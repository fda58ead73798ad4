from __future__ import annotations

import pytest

from harness.scenario import Guest, Machine, Payload, Platform
from harness.scenario.contradictions import accel_on, machine_contradictions


@pytest.mark.parametrize(
    ("platform", "accel", "used"),
    [
        (Platform.TCG, "auto", "tcg"),
        (Platform.TCG, "tcg", "tcg"),
        (Platform.TCG, "kvm", None),
        (Platform.KVM, "auto", "kvm"),
        (Platform.KVM, "tcg", None),
        (Platform.SNP, "auto", "kvm"),
        (Platform.SVSM, "kvm", "kvm"),
        (Platform.SVSM, "tcg", None),
        (Platform.MODEL, "auto", "auto"),
        (Platform.MODEL, "tcg", "tcg"),
    ],
)
def test_accel_on(platform: Platform, accel: str, used: str | None) -> None:
    assert accel_on(platform, Machine.model_validate({"accel": accel})) == used


@pytest.mark.parametrize(
    ("machine", "paths"),
    [
        (Machine(type="microvm", devices=("virtio-rng-device", "nvme", "virtio-net-pci,id=a")),
         [("machine", "devices", 1), ("machine", "devices", 2)]),
        (Machine(type="q35", devices=("nvme",)), []),
        (Machine(type="microvm", devices=("nvme",), options=("-machine", "pcie=on")), []),
        (Machine(type="none"), [("machine", "type")]),
    ],
)  # fmt: skip
def test_machines(machine: Machine, paths: list[tuple[str | int, ...]]) -> None:
    assert [path for path, _ in machine_contradictions(machine, Guest(), None)] == paths


def test_a_report_needs_a_port() -> None:
    quiet = Payload(image="x", report_port="none")
    assert [path for path, _ in machine_contradictions(Machine(), None, quiet)] == [("payload", "report_port")]
    silent = Payload(image="x", report_port="none", reports="none")
    assert list(machine_contradictions(Machine(), None, silent)) == []
