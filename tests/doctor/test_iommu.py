from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import HostSnapshot

from .recorded import DENIED, ask, host, with_file, with_folder, with_log


def with_words(*words: str) -> HostSnapshot:
    return replace(host(), parameters=words)


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("AMD IOMMU", host(), State.OK, "2 AMD"),
        ("AMD IOMMU", host("laptop-intel"), State.LACKS, "dmar0"),
        ("AMD IOMMU", host("container"), State.LACKS, "there is none"),
        ("AMD IOMMU", with_folder("/sys/class/iommu", DENIED), State.UNKNOWN, "permission"),
        ("AMD IOMMU", with_folder("/sys/class/iommu", frozenset()), State.LACKS, "empty"),
        ("not off", host(), State.OK, "no iommu=off"),
        ("not off", with_words("amd_iommu=off"), State.LACKS, "amd_iommu=off"),
        ("not off", with_words("iommu=noagp,off"), State.LACKS, "off"),
        ("not off", replace(host(), parameters=DENIED), State.UNKNOWN, "permission"),
        ("no passthrough", host(), State.OK, "DMA-FQ"),
        ("no passthrough", with_words("iommu=noagp,pt"), State.LACKS, "pt"),
        ("no passthrough", with_words("iommu.passthrough=1"), State.LACKS, "passthrough"),
        ("no passthrough", with_words("iommu=nopt"), State.OK, "DMA-FQ"),
        ("no passthrough", with_file("/sys/kernel/iommu_groups/0/type", "identity"), State.LACKS, "identity"),
        ("no passthrough", host("container"), State.UNKNOWN, "no /sys"),
        ("V1 page tables", with_words("amd_iommu=pgtbl_v2"), State.LACKS, "pgtbl_v2"),
        ("V1 page tables", host(), State.OK, "no amd_iommu"),
        ("SNP in the log", host(), State.OK, "enabled"),
        ("SNP in the log", host("passthrough-iommu"), State.LACKS, "passthrough mode"),
        ("SNP in the log", with_log(), State.UNKNOWN, "proves nothing"),
        (
            "SNP in the log",
            with_log("AMD-Vi: IOMMU SNP feature not enabled, SNP cannot be supported."),
            State.LACKS,
            "not enabled",
        ),
        ("groups", host(), State.OK, "2"),
        ("groups", with_folder("/sys/kernel/iommu_groups", frozenset()), State.NOTE, "0"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
