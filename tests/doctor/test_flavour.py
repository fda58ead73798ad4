from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import HostSnapshot

from .recorded import DENIED, ask, host, with_folder


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("flavour", host("genoa"), State.OK, "roy"),
        ("flavour", host("planes-kernel"), State.OK, "planes-6.17"),
        ("flavour", host(), State.UNKNOWN, "undecided"),
        ("flavour", host("turin"), State.UNKNOWN, "boot one"),
        ("flavour", replace(host(), symbols=frozenset({"kvm_vcpu_select_plane"})), State.OK, "planes-v1"),
        ("flavour", replace(host("genoa"), symbols=frozenset({"kvm_vcpu_select_plane"})), State.UNKNOWN, "contradict"),
        ("flavour", replace(host("laptop-intel"), symbols=DENIED), State.UNKNOWN, "not readable"),
        ("KVM tracepoints", host(), State.OK, "6 tracepoints"),
        ("KVM tracepoints", with_folder("/sys/kernel/tracing/events/kvm", frozenset()), State.LACKS, "none"),
        ("KVM tracepoints", host("laptop-intel"), State.UNKNOWN, "permission"),
        ("Run-VMPL requests", host(), State.OK, "kvm_vmgexit_enter"),
        (
            "Run-VMPL requests",
            with_folder("/sys/kernel/tracing/events/kvm", frozenset({"kvm_vmgexit_enter"})),
            State.LACKS,
            "msr_protocol",
        ),
        ("switch tracepoint", host("genoa"), State.OK, "exists"),
        ("switch tracepoint", host(), State.NOTE, "inferred"),
        ("VMPL in kvm_entry", host("genoa"), State.OK, "roy"),
        ("VMPL in kvm_entry", host(), State.NOTE, "not roy"),
        ("VMPL in kvm_entry", replace(host(), fields={}), State.UNKNOWN, "no format"),
        ("VMPL in kvm_entry", replace(host(), fields=DENIED), State.UNKNOWN, "permission"),
        ("kvm_entry format", host("turin"), State.OK, "7.3"),
        ("kvm_entry format", host(), State.NOTE, "6.12"),
        ("plane in interrupts", host("planes-kernel"), State.OK, "planes-6.17"),
        ("plane in interrupts", host(), State.NOTE, "no plane"),
        ("plane symbols", host("planes-kernel"), State.OK, "kvm_request_plane_switch"),
        ("plane symbols", host(), State.NOTE, "proves nothing"),
        ("plane symbols", replace(host(), symbols=DENIED), State.UNKNOWN, "permission"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
