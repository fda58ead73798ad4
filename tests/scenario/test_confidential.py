from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.scenario import Snp, SnpPolicy, Svsm

from .sample import HEAD, problems, setting

SNP = "platforms: {snp: {}}\n"


def test_what_is_left_out_is_qemus_own_default() -> None:
    assert SnpPolicy().number == 0x30000


@pytest.mark.parametrize(
    ("number", "named"),
    [
        (0x30000, {"smt"}),
        (0x20000, set()),
        (0xB0000, {"smt", "debug"}),
        (0x3FF0000 & ~0x20000 | 0x20000, {
            "smt", "migrate_ma", "debug", "single_socket", "cxl_allow", "mem_aes_256_xts", "rapl_dis",
            "ciphertext_hiding_dram", "page_swap_disable",
        }),
    ],
)  # fmt: skip
def test_a_number_is_decoded_into_named_bits_and_back(number: int, named: set[str]) -> None:
    policy = Snp.model_validate({"policy": number}).policy
    assert {name for name, value in policy.model_dump().items() if value is True} == named
    assert policy.number == number


def test_the_abi_version_is_part_of_it() -> None:
    policy = SnpPolicy.model_validate(SnpPolicy.decode(0x30137))
    assert (policy.abi_major, policy.abi_minor, policy.number) == (1, 0x37, 0x30137)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("snp: {policy: 0x10000}", "s.yaml:4:15: snp.policy: the policy 0x10000 lacks bit 17 (0x20000), which must be"),
        ("snp: {policy: 0x4030000}", "s.yaml:4:15: snp.policy: the policy 0x4030000 sets bits that are reserved: 0x4"),
        ("snp: {policy: {smmt: true}}", "s.yaml:4:16: unknown key 'smmt' in snp.policy (did you mean 'smt'?)"),
        ("snp: {cbitpos: 51}", "s.yaml:4:6: snp: cbitpos is read from the host's CPUID and cannot be written"),
        ("snp: {reduced_phys_bits: 1}", "s.yaml:4:6: snp: reduced_phys_bits is read from the host's CPUID"),
        ("snp: {host_data: abc}", "s.yaml:4:18: snp.host_data: must be 32 bytes in hexadecimal: 64 digits"),
        ("snp: {id_auth: x}", "s.yaml:4:6: snp: id_auth authenticates an id_block"),
        ("snp: {id_block: x}", "s.yaml:4:6: snp: the firmware takes an id_block only with its id_auth"),
        ("snp: {author_key: true}", "s.yaml:4:6: snp: author_key says what is in id_auth"),
        ("snp: {tsc_frequency: 1}", "s.yaml:4:6: snp: tsc_frequency is that of the Secure TSC"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(text: str, expected: str) -> None:
    (problem,) = problems(HEAD + SNP + text)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("svsm: {igvm: a, binary: b}", "svsm: igvm and binary are two forms of one thing"),
        ("svsm: {igvm: a, form: pflash}", "svsm: the form pflash takes binary, not igvm"),
        ("svsm: {binary: a, form: igvm-cfg}", "svsm: the form igvm-cfg takes igvm, not binary"),
        ("svsm: {igvm: a, form: igvm-file, device_plane: 2}", "svsm: device_plane needs the form igvm-cfg"),
        ("svsm: {guest_vmpl: 0}", "svsm.guest_vmpl must be at least 1, not 0"),
        ("svsm: {device_plane: 4}", "svsm.device_plane: 4 is no plane: 0 to 3, auto or null"),
    ],
)
def test_an_svsm_is_given_in_one_form(text: str, expected: str) -> None:
    (problem,) = problems(HEAD + "platforms: {svsm: {}}\n" + text)
    assert expected in problem and problem.startswith("s.yaml:4:")


def test_the_policy_of_a_file_may_be_a_number_or_bits() -> None:
    by_number = setting(SNP + "snp: {policy: 0xb0000}").snp
    by_name = setting(SNP + "snp: {policy: {debug: true}}").snp
    assert by_number is not None and by_number == by_name


def test_a_policy_is_no_truth_value() -> None:
    with pytest.raises(ValidationError):
        Snp.model_validate({"policy": True})


def test_what_runs_above_coconut_is_at_vmpl_2() -> None:
    assert Svsm().guest_vmpl == 2
