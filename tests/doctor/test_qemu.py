from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import HostSnapshot, QemuFacts

from .recorded import DENIED, GONE, ask, host


def having(name: str = "milan", **changes: Any) -> HostSnapshot:
    qemu = host(name).qemu
    assert isinstance(qemu, QemuFacts)
    return replace(host(name), qemu=replace(qemu, **changes))


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("QEMU", host(), State.OK, "11.1.3"),
        ("QEMU", replace(host(), qemu=GONE), State.LACKS, "not there"),
        ("q35", host(), State.OK, "yes"),
        ("q35", having(machines=frozenset()), State.LACKS, "no q35"),
        ("microvm", having(machines=frozenset()), State.NOTE, "no"),
        ("TCG atomics", host("old-kernel"), State.NOTE, "cx16"),
        ("TCG atomics", host(), State.OK, "11.1.3"),
        ("TCG patched code", having(version=(8, 0)), State.NOTE, "may hang now and then"),
        ("TCG patched code", having(version=(8, 1)), State.OK, ""),
        ("sev-snp-guest", host(), State.OK, "yes"),
        ("sev-snp-guest", host("old-kernel"), State.LACKS, "no sev-snp-guest"),
        ("sev-snp-guest", replace(host(), qemu=GONE), State.UNKNOWN, "not there"),
        ("memory-backend-memfd", having(types=frozenset()), State.LACKS, "no memory"),
        ("sev-guest", having(types=frozenset()), State.NOTE, "no"),
        ("igvm-cfg", host("genoa"), State.OK, "yes"),
        ("igvm-cfg", host(), State.LACKS, "no igvm-cfg"),
        ("machine igvm-cfg", host(), State.LACKS, "q35 has no"),
        ("machine igvm-cfg", having(machine_properties=DENIED), State.UNKNOWN, "permission"),
        ("device-plane", host("planes-kernel"), State.LACKS, "q35 has no"),
        ("device-plane", host("genoa"), State.NOTE, "only planes"),
        (
            "device-plane",
            having("planes-kernel", machine_properties=frozenset({"device-plane"})),
            State.OK,
            "device-plane",
        ),
        ("device-plane", having("planes-kernel", machine_properties=DENIED), State.UNKNOWN, "permission"),
        ("IGVM file", host("genoa"), State.OK, ".igvm"),
        ("IGVM file", host(), State.NOTE, "recorded"),
        ("OVMF", host(), State.OK, "amdsev"),
        ("OVMF", host("container"), State.NOTE, "none"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
