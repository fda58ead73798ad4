from __future__ import annotations

import pytest

from .sample import HEAD, load, problems, setting

SVSM = "platforms: {svsm: {}}\nsvsm: {igvm: x}\n"
SNP = "platforms: {snp: {}}\n"


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        (SVSM + "machine: {firmware: OVMF.fd}", "5:21", "refuses -bios beside it; remove firmware"),
        (SVSM + "machine: {pflash: {code: OVMF.fd}}", "5:19", "refuses pflash beside it; remove pflash"),
        (SVSM + "machine: {options: [-bios, x]}", "5:21", "refuses -bios beside it"),
        (SVSM + "machine: {options: [-drive, 'if=pflash,file=x']}", "5:29", "refuses if=pflash,file=x beside it"),
        (SVSM + "machine: {irqchip: \"off\"}", "5:20", "SNP needs the interrupt controllers in KVM"),
        (SVSM + "machine: {type: microvm}", "5:17", "start on q35, not on microvm"),
        (SVSM + "machine: {options: [-object, 'sev-snp-guest,cbitpos=51']}", "5:30", "read from the host's CPUID"),
        (SVSM + "machine: {options: [-machine, confidential-guest-support=a]}", "5:31", "the snp section renders it"),
        (SVSM + "machine: {options: [-object, 'memory-backend-memfd,id=m,share=off']}", "5:30", "a memfd shared with"),
        (SVSM + "machine: {options: [-machine, device-plane=1]}", "5:31", "svsm.device_plane renders it"),
        (SVSM + "machine: {options: [-action, reboot=reset]}", "5:30", "cannot be reset, so -no-reboot is on"),
        (SVSM + "payload: vmpl_model", "5:10", "vmpl_model takes the place of SVSM, firmware and kernel"),
        (SVSM + "snp: {kernel_hashes: true}", "5:22", "an IGVM file brings its own"),
        (SNP + "machine: {pflash: {code: x}}", "4:19", "cannot start from flash"),
        (SNP + "snp: {kernel_hashes: true}\nguest: {disk: d}", "4:22", "measures a kernel that QEMU loads"),
        (SNP + "payload: svsm", "4:10", "the payload svsm is the SVSM itself; it needs platform svsm or nocc"),
        ("platforms: {svsm: {}}\nsvsm: {igvm: x, device_plane: 2}\nmachine: {irqchip: \"on\"}", "5:20",
         "planes need irqchip: split, not on"),
        ("platforms: {svsm: {}}\nsvsm: {binary: x}", "4:16", "name it by machine.pflash: {code, vars}"),
        ("platforms: {nocc: {}}\nsvsm: {igvm: x}\nguest: {}", "5:8", "without SNP the SVSM starts no guest"),
        ("platforms: {nocc: {}}\nsvsm: {igvm: x, device_plane: 2}", "4:31", "planes are VMPLs of an SNP guest"),
    ],
)  # fmt: skip
def test_what_excludes_each_other_is_said_at_its_key(text: str, where: str, says: str) -> None:
    (problem,) = problems(HEAD + text)
    assert problem.startswith(f"s.yaml:{where}: ") and says in problem, problem


@pytest.mark.parametrize(
    ("platform", "section", "having"),
    [("tcg", "snp", "snp, svsm"), ("kvm", "svsm", "nocc, svsm"), ("snp", "svsm", "nocc, svsm")],
)
def test_a_section_under_a_platform_without_it_is_refused(platform: str, section: str, having: str) -> None:
    (problem,) = problems(HEAD + f"platforms: {{{platform}: {{{section}: {{}}}}}}")
    assert f"{section} means nothing on platform {platform}; it is for {having}" in problem


def test_sections_of_the_base_count_where_they_mean_something() -> None:
    platforms = "platforms: {svsm: , snp: , kvm: , tcg: }\n"
    (variant,) = load(HEAD + platforms + "snp: {policy: 0xb0000}\nsvsm: {igvm: x}").variants
    have = {platform: (one.snp is not None, one.svsm is not None) for platform, one in variant.platforms}
    assert have == {"svsm": (True, True), "snp": (True, False), "kvm": (False, False), "tcg": (False, False)}


def test_a_platform_has_its_sections_even_if_nothing_is_written() -> None:
    chosen = setting("platforms: {svsm: {}}")
    assert chosen.snp is not None and chosen.svsm is not None and chosen.svsm.igvm == ""


def test_nocc_runs_the_svsm_alone_and_below_a_real_guest() -> None:
    (variant,) = load(HEAD + "platforms: {nocc: , tcg: , model: {payload: vmpl_model}}").variants
    assert [platform for platform, _ in variant.platforms] == ["tcg", "nocc", "model"]
    chosen = dict(variant.platforms)["nocc"]  # type: ignore[index]
    assert chosen.payload is not None and chosen.payload.image == "svsm" and chosen.snp is None


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("guest: {disk: d, extra_modules: [x]}", "3:33", "goes into the harness's own initramfs"),
        ("guest: {disk: d, append: quiet}", "3:26", "the disk's own boot loader has its own"),
        ("guest: {initrd: i}", "3:17", "name the disk"),
        ("guest: {disk: d}\nmachine: {type: microvm}", "4:17", "needs a machine that boots from a disk"),
        ("machine: {firmware: a, pflash: {code: b}}", "3:21", "two places of one thing"),
        ("machine: {type: microvm, pflash: {code: b}}", "3:34", "microvm has no flash"),
    ],
)
def test_disks_and_flash(text: str, where: str, says: str) -> None:
    (problem,) = problems(HEAD + text)
    assert problem.startswith(f"s.yaml:{where}: ") and says in problem, problem
