"""How an SNP guest or an SVSM is started, or the first thing that is in the way."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest

from harness.boot.launch import launch_of, needs_snp, plan_launch, shown_setting, with_firmware
from harness.boot.site import Site
from harness.errors import InputError, Unsupported
from harness.host.snp import SnpFacts
from harness.qemu.capabilities import Capabilities
from harness.qemu.snp import Form
from harness.scenario.confidential import Snp, Svsm
from harness.scenario.model import Guest, Machine, Payload
from harness.scenario.setting import Setting

READY = SnpFacts("", "", 47, "/usr/share/ovmf/OVMF.amdsev.fd")
LAPTOP = SnpFacts("this CPU has no SEV-SNP", "an EPYC 7003 has it", None, None)
TYPES = frozenset({"sev-snp-guest", "igvm-cfg", "memory-backend-memfd"})
QEMU = Capabilities("/usr/bin/qemu", (11, 0, 0), "", {"q35": 288}, frozenset(), TYPES, frozenset())
PLAIN = Setting(Machine(), Guest(), None, (), (), 60.0, None)
SNP = replace(PLAIN, snp=Snp())
SVSM = replace(SNP, svsm=Svsm(igvm="x.igvm"))
NOCC = replace(PLAIN, guest=None, payload=Payload.model_validate({"image": "svsm"}), svsm=Svsm(igvm="x.igvm"))


def test_the_c_bit_is_the_hosts() -> None:
    launch = plan_launch(SVSM, QEMU, READY)
    assert launch is not None and (launch.form, launch.cbitpos) == (Form.IGVM_CFG, 47)


def test_other_guests_are_not_touched_and_hosts_not_asked() -> None:
    assert plan_launch(PLAIN, QEMU, LAPTOP) is None
    assert [needs_snp(setting) for setting in (PLAIN, NOCC, SNP, SVSM)] == [False, False, True, True]


def test_nocc_needs_no_snp() -> None:
    launch = plan_launch(NOCC, QEMU, LAPTOP)
    assert launch is not None and launch.cbitpos is None and launch.snp is None and not launch.nocc_object
    older = replace(QEMU, types=TYPES | {"nocc"})
    launch = plan_launch(NOCC, older, LAPTOP)
    assert launch is not None and launch.nocc_object


@pytest.mark.parametrize(
    ("setting", "capabilities", "host", "says"),
    [
        (SVSM, QEMU, LAPTOP, "this CPU has no SEV-SNP (an EPYC 7003 has it)"),
        (replace(SVSM, svsm=Svsm()), QEMU, READY, "svsm.igvm names no IGVM file"),
        (SVSM, replace(QEMU, types=TYPES - {"igvm-cfg"}), READY, "QEMU 11.0.0 has no object igvm-cfg"),
        (SNP, replace(QEMU, types=frozenset()), READY, "QEMU 11.0.0 has no object memory-backend-memfd"),
        (NOCC, replace(QEMU, types=TYPES - {"igvm-cfg"}), LAPTOP, "QEMU 11.0.0 has no object igvm-cfg"),
    ],
)
def test_the_first_thing_in_the_way_is_named(
    setting: Setting, capabilities: Capabilities, host: SnpFacts, says: str
) -> None:
    with pytest.raises(Unsupported) as raised:
        plan_launch(setting, capabilities, host)
    assert str(raised.value).startswith(says)


def test_an_snp_guest_gets_the_hosts_ovmf_and_an_svsm_brings_its_own() -> None:
    assert with_firmware(SNP, READY).machine.firmware == READY.firmware
    named = replace(SNP, machine=Machine(firmware="mine.fd"))
    for setting in (named, SVSM, PLAIN, NOCC):
        assert with_firmware(setting, READY) is setting
    with pytest.raises(Unsupported, match="no OVMF for SEV is at the usual places"):
        with_firmware(SNP, LAPTOP)


def _written(path: Path, count: int) -> str:
    path.write_text(base64.b64encode(bytes(count)).decode() + "\n")
    return str(path)


def test_an_id_block_is_read_and_measured(tmp_path: Path) -> None:
    block, auth = _written(tmp_path / "block", 96), _written(tmp_path / "auth", 4096)
    launch = plan_launch(replace(SNP, snp=Snp(id_block=block, id_auth=auth)), QEMU, READY)
    assert launch is not None and launch.id_block == base64.b64encode(bytes(96)).decode()
    assert launch.id_auth is not None and len(launch.id_auth) == 5464


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"!!", "is no base64 text"), (b"\xff", "is no base64 text"), (b"QUJD", "stands for 3 bytes, not 96"),
     (None, "cannot read")],
)  # fmt: skip
def test_what_is_no_id_block_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "block").write_bytes(content)
    snp = Snp(id_block=str(tmp_path / "block"), id_auth=_written(tmp_path / "auth", 4096))
    with pytest.raises(InputError, match=f"snp.id_block: .*{says}"):
        plan_launch(replace(SNP, snp=snp), QEMU, READY)


@pytest.mark.parametrize(
    ("setting", "host", "form", "notes"),
    [
        (replace(SVSM, svsm=Svsm()), LAPTOP, Form.IGVM_CFG, ["coconut-qemu.igvm stands in", "cbitpos=51 stands in"]),
        (SVSM, READY, Form.IGVM_CFG, []),
        (SNP, LAPTOP, Form.SNP, ["cbitpos=51 stands in", "OVMF.amdsev.fd stands in"]),
        (replace(SNP, svsm=Svsm(binary="b")), READY, Form.PFLASH, []),
        (replace(SNP, svsm=Svsm(igvm="b", form="igvm-file")), READY, Form.IGVM_FILE, []),
        (replace(NOCC, svsm=Svsm()), LAPTOP, Form.IGVM_CFG, ["coconut-qemu.igvm stands in"]),
        (replace(SNP, snp=Snp(id_block="/none", id_auth="/none")), READY, Form.SNP, []),
    ],
)
def test_what_cannot_run_here_is_shown_and_says_what_stands_in(
    setting: Setting, host: SnpFacts, form: Form, notes: list[str]
) -> None:
    _, launch, said = shown_setting(setting, host)
    assert launch is not None and launch.form is form
    assert len(said) == len(notes) and all(note in line for note, line in zip(notes, said, strict=True))


def test_modules_that_only_the_hosts_kernel_has_are_no_part_of_what_is_shown() -> None:
    shown, _, _ = shown_setting(replace(SNP, guest=Guest(extra_modules=("tpm_svsm",))), READY)
    assert shown.guest == Guest()


def test_a_plain_guest_is_shown_as_it_is() -> None:
    assert shown_setting(PLAIN, LAPTOP) == (PLAIN, None, ())


def test_a_boot_that_was_planned_elsewhere_asks_for_itself(site: Site) -> None:
    assert asyncio.run(launch_of(PLAIN, site)) is None
    with pytest.raises(Unsupported, match=r"SNP|kvm_amd|/dev/sev|CPUID|QEMU|IGVM"):
        asyncio.run(launch_of(SVSM, replace(site, capabilities=replace(QEMU, types=frozenset()))))
