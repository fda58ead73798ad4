from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.host import snp
from harness.host.local import LocalHost
from harness.host.snp import ask_snp, parse_snp

# EPYC 9115 (facts of its CPUID): C-bit 51. A Milan has it at 47.
TURIN = " cffffffb 000041b3 000003ee 00000001"
MILAN = " 0101fd3f 0000416f 000001fd 00000064"
NO_SNP = " 0001780f 0000016f 000001fd 00000001"


@pytest.mark.parametrize(
    ("said", "why_not", "cbitpos"),
    [
        (f"Y\nopen\n{TURIN}\n", "", 51),
        (f"1\nopen\n{MILAN}\n", "", 47),
        (f"N\nopen\n{TURIN}\n", "kvm_amd has SNP off (sev_snp=N)", 51),
        (f"none\nnone\n{NO_SNP}\n", "this CPU has no SEV-SNP", None),
        ("none\nnone\n", "kvm_amd is not loaded, or older than SNP", None),
        (f"Y\nnone\n{TURIN}\n", "there is no /dev/sev", 51),
        (f"Y\nclosed\n{TURIN}\n", "/dev/sev may not be opened by this user", 51),
        ("Y\nopen\n", "CPUID cannot be read, and with it where the C-bit is", None),
        ("", "kvm_amd has SNP off (sev_snp=)", None),
    ],
)
def test_the_first_thing_in_the_way_is_named(said: str, why_not: str, cbitpos: int | None) -> None:
    facts = parse_snp(said)
    assert (facts.why_not, facts.cbitpos) == (why_not, cbitpos)
    assert bool(facts.remedy) == bool(why_not)


def test_an_ovmf_for_sev_is_found() -> None:
    assert parse_snp(f"Y\nopen\n{TURIN}\nfirmware /usr/share/ovmf/OVMF.amdsev.fd\n").firmware is not None
    assert parse_snp("none\nnone\nfirmware /a b\n").firmware == "/a b"
    assert parse_snp(f"Y\nopen\n{TURIN}\n").firmware is None


def test_a_host_is_asked_by_its_own_shell() -> None:
    facts = asyncio.run(ask_snp(LocalHost(), Deadline.after(20)))
    has = Path("/sys/module/kvm_amd/parameters/sev_snp")
    if not has.exists():
        assert facts.why_not
    assert facts.cbitpos is None or 32 <= facts.cbitpos < 64


def test_the_script_reads_the_last_of_32_leaves(tmp_path: Path) -> None:
    # A file in place of the device: records of 16 bytes, the wanted one last.
    device = tmp_path / "cpuid"
    words = [0xCFFFFFFB, 0x41B3, 0x3EE, 0x64]
    device.write_bytes(bytes(31 * 16) + b"".join(word.to_bytes(4, "little") for word in words) + bytes(16))
    script = snp.SNP_SCRIPT.replace("/dev/cpu/0/cpuid", str(device)).replace("skip=134217728", "skip=0")
    script = script.replace("/sys/module/kvm_amd/parameters/sev_snp", str(tmp_path / "sev_snp"))
    (tmp_path / "sev_snp").write_text("Y\n")
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout
    facts = parse_snp(said)
    assert facts.cbitpos == 51 and said.startswith("Y\n")
