from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import Access, HostSnapshot

from .recorded import DENIED, GONE, ask, host, with_file, with_log


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("release", host(), State.OK, "6.12"),
        ("release", host("old-kernel"), State.NOTE, "older than 6.11"),
        ("release", with_file("/proc/sys/kernel/osrelease", "??"), State.UNKNOWN, "names no release"),
        ("/dev/kvm", host(), State.OK, "writable"),
        ("/dev/kvm", host("container"), State.LACKS, "there is no"),
        ("/dev/kvm", replace(host(), access={"/dev/kvm": Access(False, False)}), State.LACKS, "may not"),
        ("KVM runs Linux", host(), State.OK, "booted"),
        ("KVM runs Linux", host("container"), State.LACKS, "no /dev/kvm"),
        ("KVM runs Linux", replace(host(), kvm=DENIED), State.UNKNOWN, "permission"),
        ("KVM module", host(), State.OK, "kvm_amd"),
        ("KVM module", host("laptop-intel"), State.OK, "kvm_intel"),
        ("KVM module", host("container"), State.NOTE, "none of"),
        ("kvm_amd.sev_snp", host(), State.OK, "sev_snp=Y"),
        ("kvm_amd.sev_snp", with_file("/sys/module/kvm_amd/parameters/sev_snp", "N"), State.LACKS, "sev_snp=N"),
        ("kvm_amd.sev_snp", with_file("/sys/module/kvm_amd/parameters/sev_snp", ""), State.LACKS, "sev_snp="),
        ("kvm_amd.sev_snp", with_file("/sys/module/kvm_amd/parameters/sev_snp", DENIED), State.UNKNOWN, "permission"),
        ("kvm_amd.sev_snp", host("old-kernel"), State.LACKS, "has no sev_snp"),
        ("kvm_amd.sev_snp", host("container"), State.LACKS, "not loaded"),
        ("SNP on", host(), State.OK, "bit 24 is 1"),
        ("SNP on", host("passthrough-iommu"), State.LACKS, "bit 24 is 0"),
        ("SNP on", replace(host(), msrs=DENIED), State.UNKNOWN, "permission"),
        ("ASIDs in the log", host(), State.OK, "enabled"),
        ("ASIDs in the log", host("snp-off-in-bios"), State.LACKS, "disabled"),
        ("ASIDs in the log", with_log("kvm_amd: SEV-SNP unusable (ASIDs 0 - 0)"), State.LACKS, "unusable"),
        ("ASIDs in the log", with_log(), State.UNKNOWN, "proves nothing"),
        ("kvm_amd.npt", with_file("/sys/module/kvm_amd/parameters/npt", "N"), State.NOTE, "npt=N"),
        ("kvm_amd.avic", host(), State.OK, "avic=N"),
        ("kvm_amd.dump_invalid_vmcb", host(), State.NOTE, "=N"),
        (
            "kvm_amd.dump_invalid_vmcb",
            with_file("/sys/module/kvm_amd/parameters/dump_invalid_vmcb", "Y"),
            State.OK,
            "=Y",
        ),
        ("ciphertext hiding", host("turin"), State.OK, "not split"),
        (
            "ciphertext hiding",
            with_file("/sys/module/kvm_amd/parameters/ciphertext_hiding_asids", "50"),
            State.NOTE,
            "1 to 50",
        ),
        (
            "ciphertext hiding",
            with_file("/sys/module/kvm_amd/parameters/ciphertext_hiding_asids", "x"),
            State.UNKNOWN,
            "no number",
        ),
        ("psp_init_on_probe", host(), State.OK, "Y"),
        (
            "psp_init_on_probe",
            with_file("/sys/module/ccp/parameters/psp_init_on_probe", "N"),
            State.NOTE,
            "first SNP guest",
        ),
        ("nested", host("laptop-intel"), State.OK, "kvm_intel"),
        ("nested", with_file("/sys/module/kvm_amd/parameters/nested", "0"), State.NOTE, "nested=0"),
        ("nested", host("container"), State.UNKNOWN, "neither"),
        ("command line", host("passthrough-iommu"), State.OK, "iommu=pt"),
        ("command line", replace(host(), parameters=("nosnp",)), State.LACKS, "nosnp"),
        ("command line", replace(host(), parameters=("kvm_amd.sev_snp=0",)), State.LACKS, "sev_snp=0"),
        ("private memory", host(), State.OK, "no complaint"),
        (
            "private memory",
            with_log("kvm_amd: SEV-SNP requires private memory support via guest_memfd."),
            State.LACKS,
            "guest_memfd",
        ),
        ("taint", host(), State.OK, "0"),
        ("taint", with_file("/proc/sys/kernel/tainted", "4096"), State.OK, "4096"),
        ("taint", with_file("/proc/sys/kernel/tainted", "640"), State.NOTE, "oops, warning"),
        ("oopses in the log", with_log("BUG: kernel NULL pointer dereference, address: 0"), State.NOTE, "BUG"),
        ("oopses in the log", host(), State.OK, "none"),
        ("lockdown", host(), State.OK, "none"),
        ("lockdown", host("laptop-intel"), State.NOTE, "integrity"),
        ("lockdown", with_file("/sys/kernel/security/lockdown", GONE), State.OK, "has none"),
        ("lockdown", with_file("/sys/kernel/security/lockdown", DENIED), State.UNKNOWN, "permission"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
