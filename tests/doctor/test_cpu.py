from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import HostSnapshot

from .recorded import DENIED, ask, host, with_cpu, with_file, with_leaf


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("vendor", host(), State.OK, "AuthenticAMD"),
        ("vendor", host("laptop-intel"), State.LACKS, "GenuineIntel"),
        ("vendor", with_file("/proc/cpuinfo", DENIED), State.UNKNOWN, "permission"),
        ("vendor", with_file("/proc/cpuinfo", ""), State.UNKNOWN, "names no vendor_id"),
        ("generation", host(), State.OK, "Milan"),
        ("generation", host("genoa"), State.OK, "Genoa"),
        ("generation", host("turin"), State.OK, "Turin"),
        ("generation", host("no-snp"), State.LACKS, "Rome"),
        (
            "generation",
            with_cpu("model name", "AMD EPYC\ncpu family : 99\nmodel : 1"),
            State.NOTE,
            "no server generation",
        ),
        ("generation", with_cpu("model name", "AMD EPYC\ncpu family : x\nmodel : ²"), State.UNKNOWN, "family x"),
        ("bare metal", host(), State.OK, "no hypervisor flag"),
        ("bare metal", with_cpu("flags", "svm"), State.OK, ""),
        ("SVM", host(), State.OK, "svm"),
        ("SVM", host("laptop-intel"), State.LACKS, "no svm"),
        ("virtualisation", host("laptop-intel"), State.OK, "vmx"),
        ("SEV-SNP", host(), State.OK, "bit 4 is 1"),
        ("SEV-SNP", with_leaf(eax=0xF), State.LACKS, "bit 4 is 0"),
        ("SEV-SNP", replace(host(), cpuid=DENIED), State.OK, "flag sev_snp"),
        ("SEV-SNP", replace(host("snp-off-in-bios"), cpuid=DENIED), State.UNKNOWN, "proves nothing"),
        ("SEV-SNP", replace(host(), cpuid={}), State.LACKS, "no leaf"),
        ("VMPL", with_leaf(eax=0x1F), State.LACKS, "bit 5 is 0"),
        ("VMPL count", with_leaf(ebx=0x416F), State.OK, "4 VMPLs"),
        ("VMPL count", with_leaf(ebx=0x116F), State.LACKS, "1 VMPLs"),
        ("VMPL count", with_leaf(ebx=0x316F), State.NOTE, "3 VMPLs"),
        ("C-bit", host("turin"), State.OK, "cbitpos=51"),
        ("C-bit", host(), State.OK, "cbitpos=47"),
        ("C-bit", with_leaf(ebx=0), State.NOTE, "cbitpos=0"),
        ("lost address bits", host("turin"), State.OK, "6 bits"),
        ("Secure TSC", with_leaf(eax=0), State.NOTE, "bit 8 is 0"),
        ("restricted injection", replace(host(), cpuid=DENIED), State.UNKNOWN, "permission"),
        ("all CPUs online", host(), State.OK, "0-127"),
        ("all CPUs online", with_file("/sys/devices/system/cpu/online", "0-63"), State.NOTE, "0-63"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
