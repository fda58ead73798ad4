from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import HostSnapshot

from .recorded import GONE, ask, host


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("make", host(), State.OK, "/usr/bin/make"),
        ("make", replace(host(), programs={"make": None}), State.LACKS, "not found"),
        ("gcc", replace(host(), programs={}), State.LACKS, "not found"),
        ("programs", host(), State.OK, "busybox"),
        ("programs", replace(host(), guest_tools=GONE), State.LACKS, "not there"),
        ("kernel", host(), State.OK, "vmlinuz"),
        ("kernel", replace(host(), guest_kernel=GONE), State.LACKS, "not there"),
        ("image", host(), State.OK, "built"),
        ("image", replace(host(), guest_image=GONE), State.UNKNOWN, "not there"),
        ("ssh", host("container"), State.NOTE, "not found"),
        ("ssh", host(), State.OK, "ssh"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
