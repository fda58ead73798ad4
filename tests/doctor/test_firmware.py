from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import Access, HostSnapshot

from .recorded import DENIED, ask, host, with_file, with_folder, with_log


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("BIOS", host(), State.OK, "2.8"),
        ("SME on", host(), State.OK, "bit 23 is 1"),
        ("SME on", replace(host(), msrs={0xC0010010: 0}), State.LACKS, "bit 23 is 0"),
        ("SME on", replace(host(), msrs=DENIED), State.UNKNOWN, "permission"),
        ("RMP range", host(), State.OK, "0x4032600000"),
        ("RMP range", host("snp-off-in-bios"), State.LACKS, "no table"),
        ("RMP range", replace(host(), msrs={}), State.UNKNOWN, "refuses"),
        ("RMP range", replace(host(), msrs={0xC0010132: 9 << 20, 0xC0010133: 1 << 20}), State.LACKS, "no table"),
        ("RMP in the log", host(), State.OK, "physical range"),
        ("RMP in the log", host("snp-off-in-bios"), State.LACKS, "reserved by BIOS"),
        ("RMP in the log", with_log(), State.UNKNOWN, "proves nothing"),
        (
            "RMP in the log",
            with_log("SEV-SNP: RMP table physical range [0x1 - 0x2]", "SNP init failed: not all CPUs online."),
            State.LACKS,
            "not all CPUs",
        ),
        ("ccp driver", host(), State.OK, "loaded"),
        ("ccp driver", host("container"), State.LACKS, "not loaded"),
        ("ccp driver", with_folder("/sys/module/ccp", DENIED), State.UNKNOWN, "permission"),
        ("SNP firmware", host(), State.OK, "1.55"),
        ("SNP firmware", with_log("ccp 0000:22:00.1: SEV-SNP API:1.49 build:3"), State.LACKS, "1.49"),
        ("SNP firmware", with_log("ccp 0000:22:00.1: SEV-SNP API:?"), State.UNKNOWN, "snphost"),
        ("SNP firmware", replace(host(), log=DENIED), State.UNKNOWN, "permission"),
        ("/dev/sev", host(), State.OK, "writable"),
        ("/dev/sev", host("container"), State.LACKS, "there is no"),
        ("/dev/sev", replace(host(), access={"/dev/sev": Access(True, False)}), State.LACKS, "may not"),
        ("/dev/sev", replace(host(), access={}), State.UNKNOWN, "not looked at"),
        ("vulnerabilities", host("turin"), State.OK, "Not affected"),
        (
            "vulnerabilities",
            with_file("/sys/firmware/sev/vulnerabilities/cve_2024_21944", "Vulnerable", "turin"),
            State.NOTE,
            "Vulnerable",
        ),
        ("vulnerabilities", host(), State.UNKNOWN, "7.3"),
        ("SMT", host(), State.OK, "on"),
        ("SMT", with_file("/sys/devices/system/cpu/smt/control", DENIED), State.UNKNOWN, "permission"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
