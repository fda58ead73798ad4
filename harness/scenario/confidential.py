"""Define the sections that make a guest an SNP guest, and put an SVSM below it.

What the host decides is not here: the position of the C-bit is the CPU's (CPUID 8000001F), and which form of command
line QEMU takes is QEMU's (:mod:`harness.qemu.snp`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from harness.scenario.base import Model

__all__ = ["Snp", "SnpPolicy", "Svsm"]

# SEV-SNP firmware ABI (AMD 56860), GUEST_POLICY: what is not listed must be zero, bit 17 must be one.
_MUST_BE_ONE = 1 << 17
_BITS = {
    "smt": 16,
    "migrate_ma": 18,
    "debug": 19,
    "single_socket": 20,
    "cxl_allow": 21,
    "mem_aes_256_xts": 22,
    "rapl_dis": 23,
    "ciphertext_hiding_dram": 24,
    "page_swap_disable": 25,
}
_KNOWN = 0xFFFF | _MUST_BE_ONE | sum(1 << bit for bit in _BITS.values())
_OF_THE_HOST = ("cbitpos", "cbit", "c_bit", "reduced_phys_bits", "reduced-phys-bits")


class SnpPolicy(Model):
    """Say what the guest's owner allows the host (GUEST_POLICY of the SEV-SNP firmware ABI), bit by bit."""

    abi_minor: int = Field(default=0, ge=0, le=255, description="Least minor version of the firmware ABI.")
    abi_major: int = Field(default=0, ge=0, le=255, description="Least major version of the firmware ABI.")
    smt: bool = Field(default=True, description="The host may run with SMT (bit 16).")
    migrate_ma: bool = Field(default=False, description="A migration agent may be bound to the guest (bit 18).")
    debug: bool = Field(default=False, description="The host may read and write the guest (bit 19).")
    single_socket: bool = Field(default=False, description="The guest must stay on one socket (bit 20).")
    cxl_allow: bool = Field(default=False, description="CXL devices and memory may be there (bit 21).")
    mem_aes_256_xts: bool = Field(default=False, description="Memory must be encrypted by AES-256-XTS (bit 22).")
    rapl_dis: bool = Field(default=False, description="Power metering (RAPL) must be off (bit 23).")
    ciphertext_hiding_dram: bool = Field(default=False, description="The host must not see ciphertext (bit 24).")
    page_swap_disable: bool = Field(default=False, description="The host must not swap the guest's pages (bit 25).")

    @property
    def number(self) -> int:
        """Return the 64-bit value that the firmware takes; what is left out gives 0x30000, QEMU's own default."""
        bits = sum(1 << bit for name, bit in _BITS.items() if getattr(self, name))
        return self.abi_major << 8 | self.abi_minor | _MUST_BE_ONE | bits

    @classmethod
    def decode(cls, number: int) -> dict[str, int | bool]:
        """Return the fields of a 64-bit value.

        :raise ValueError: if a reserved bit has the wrong value.
        """
        if number < 0 or number & ~_KNOWN:
            raise ValueError(f"the policy {number:#x} sets bits that are reserved: {number & ~_KNOWN:#x}")
        if not number & _MUST_BE_ONE:
            raise ValueError(f"the policy {number:#x} lacks bit 17 (0x20000), which must be one")
        fields: dict[str, int | bool] = {name: bool(number >> bit & 1) for name, bit in _BITS.items()}
        return fields | {"abi_minor": number & 0xFF, "abi_major": number >> 8 & 0xFF}


def _policy(value: object) -> object:
    return SnpPolicy.decode(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Policy = Annotated[
    SnpPolicy, BeforeValidator(_policy, json_schema_input_type=int | SnpPolicy)
]  # fmt: skip


def _host_data(value: object) -> object:
    if isinstance(value, str) and not (len(value) == 64 and set(value) <= set("0123456789abcdefABCDEF")):
        raise ValueError("must be 32 bytes in hexadecimal: 64 digits, without 0x")
    return value


_HostData = Annotated[
    str, BeforeValidator(_host_data), WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"})
]  # fmt: skip
_File = Annotated[str, Field(min_length=1)]


class Snp(Model):
    """Describe an SEV-SNP guest. Its memory is a shared memfd, and the C-bit is the host's: neither is a key."""

    policy: _Policy = Field(
        default=SnpPolicy(),
        description="What the host may do, as named bits or as the firmware's number (0x30000 if left out).",
        examples=["0x30000"],
    )
    host_data: _HostData | None = Field(
        default=None, description="32 bytes that attestation reports carry, as 64 hexadecimal digits."
    )
    id_block: _File | None = Field(
        default=None, description="File with the ID block in base64 (96 bytes), as snpguest writes it."
    )
    id_auth: _File | None = Field(
        default=None, description="File with the ID authentication page in base64 (4096 bytes)."
    )
    author_key: bool = Field(default=False, description="The ID authentication page holds an author key.")
    kernel_hashes: bool = Field(
        default=False, description="Measure kernel, initramfs and command line; needs an OVMF made for it (AmdSev)."
    )
    vcek_disabled: bool = Field(default=False, description="Attestation reports must not be signed by the VCEK.")
    secure_tsc: bool = Field(default=False, description="Give the guest Secure TSC (QEMU 10.2).")
    tsc_frequency: int | None = Field(
        default=None, ge=1, description="Frequency of the Secure TSC in Hz. Left out: the host's."
    )

    @model_validator(mode="before")
    @classmethod
    def _not_of_the_host(cls, data: object) -> object:
        written = [key for key in _OF_THE_HOST if isinstance(data, Mapping) and key in data]
        if written:
            raise ValueError(f"{written[0]} is read from the host's CPUID and cannot be written; remove it")
        return data

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.id_auth is not None and self.id_block is None:
            raise ValueError("id_auth authenticates an id_block, and here is none")
        if self.id_block is not None and self.id_auth is None:
            raise ValueError("the firmware takes an id_block only with its id_auth, and here is none")
        if self.author_key and self.id_auth is None:
            raise ValueError("author_key says what is in id_auth, and here is none")
        if self.tsc_frequency is not None and not self.secure_tsc:
            raise ValueError("tsc_frequency is that of the Secure TSC; write secure_tsc: true")
        return self


def _plane(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value in ("auto", None) or (whole and value in range(4)):
        return value
    raise ValueError(f"{value!r} is no plane: 0 to 3, auto or null")


class Svsm(Model):
    """Describe the SVSM at VMPL0, and where its guest runs."""

    igvm: str = Field(
        default="",
        description="Path of the IGVM file with the SVSM and its guest's firmware. Empty: UNSUPPORTED.",
        examples=["${SVSM_IGVM:-}"],
    )
    binary: str = Field(default="", description="Path of svsm.bin, for QEMUs from before IGVM.")
    form: Literal["auto", "igvm-cfg", "igvm-file", "pflash", "machine"] = Field(
        default="auto",
        description="How QEMU is given the SVSM: igvm-cfg (coconut from QEMU 9, upstream 10.1), igvm-file (coconut's "
        "QEMU 8), pflash (coconut's of 2023), machine (AMD's linux-svsm). auto: the newest that this QEMU has.",
    )
    guest_vmpl: int = Field(
        default=2, ge=1, le=3, description="VMPL at which the SVSM runs its guest: 2 for COCONUT, 1 for linux-svsm."
    )
    device_plane: Annotated[int | Literal["auto"] | None, BeforeValidator(_plane)] = Field(
        default="auto",
        description="Plane that devices interrupt, 0 to 3. auto: guest_vmpl where this QEMU knows planes, as COCONUT's "
        "launch_guest.sh does it; null: do without planes.",
    )
    restricted_injection: bool | None = Field(
        default=None,
        description="Run with restricted injection. Left out: as the form's documented command line has it; with "
        "igvm-cfg the IGVM file decides.",
    )

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        if self.igvm and self.binary:
            raise ValueError("igvm and binary are two forms of one thing; write one")
        wants_binary = self.form in ("pflash", "machine")
        if self.igvm and wants_binary:
            raise ValueError(f"the form {self.form} takes binary, not igvm")
        if self.binary and self.form in ("igvm-cfg", "igvm-file"):
            raise ValueError(f"the form {self.form} takes igvm, not binary")
        if isinstance(self.device_plane, int) and (self.form not in ("auto", "igvm-cfg") or self.binary):
            raise ValueError("device_plane needs the form igvm-cfg: no QEMU with another form knows planes")
        return self
