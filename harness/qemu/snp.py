"""Render SNP guests and SVSMs for the QEMUs that can start them; pure.

QEMU took the SVSM in five forms between 2023 and today, and kernels with planes add one option more. Sources, by form:
COCONUT-SVSM's INSTALL.md and the history of its scripts/launch_guest.sh, AMDESE/linux-svsm scripts/launch-qemu.sh,
QEMU docs/system/igvm.rst and docs/system/i386/amd-memory-encryption.rst.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import Unsupported
from harness.qemu.capabilities import Capabilities
from harness.qemu.words import escape, size
from harness.scenario.confidential import Snp, SnpPolicy, Svsm
from harness.scenario.model import Machine

__all__ = [
    "FORM_OF_TODAY",
    "Form",
    "Launch",
    "choose_form",
    "choose_plane",
    "launch_cpu",
    "launch_machine_words",
    "launch_options",
    "require_launch",
]


class Form(StrEnum):
    """Name how QEMU is told to start the guest; the values but the first are those of ``svsm.form``."""

    #: An SNP guest without an SVSM (upstream 9.1).
    SNP = "snp"
    #: ``-object igvm-cfg`` and ``-machine igvm-cfg=`` (coconut's QEMU from 9, upstream 10.1).
    IGVM_CFG = "igvm-cfg"
    #: ``sev-snp-guest,igvm-file=`` (coconut's QEMU 8).
    IGVM_FILE = "igvm-file"
    #: svsm.bin as the third flash (coconut's QEMU of 2023).
    PFLASH = "pflash"
    #: ``-machine svsm=`` (AMD's linux-svsm, given up in 2024).
    MACHINE = "machine"


FORM_OF_TODAY = Form.IGVM_CFG
# QEMU docs/system/i386/amd-memory-encryption.rst: a guest loses one bit, the C-bit's; what CPUID 8000001F EBX[11:6]
# says (6 on an EPYC 9115) is the host's loss.
_REDUCED_PHYS_BITS = 1
# kvm.h of those trees: bit 2 says that there is an SVSM, bit 0 asks for restricted injection [inferred from the
# scripts: linux-svsm's sets 4 for an SVSM, coconut's always writes 5].
_FLAG_SVSM, _FLAG_RESTRICTED = 4, 1
_ID, _MEMORY, _IGVM, _NOCC = "sev0", "ram1", "igvm0", "cgs0"
_NO_IGVM = "svsm.igvm names no IGVM file"
_NAME_IGVM = "build one (coconut-svsm/svsm: make), and name it: export SVSM_IGVM=FILE, or --set svsm.igvm=FILE"
# Which release first has what is asked for; from QEMU's release notes, and for planes from coconut-svsm/qemu.
_SINCE = {
    "sev-snp-guest": "QEMU 9.1 or later has it",
    "igvm-cfg": "coconut-svsm/qemu, or QEMU 10.1 or later built with --enable-igvm, has it",
    "device-plane": "coconut-svsm/qemu of June 2026 or later, with a kernel that has planes, has it",
    "secure-tsc": "QEMU 10.2 or later has it",
    "tsc-frequency": "QEMU 10.2 or later has it",
}


@dataclass(frozen=True, slots=True)
class Launch:
    """Hold all that the command line of an SNP guest or an SVSM rests on.

    ``snp`` is None without SNP (nocc), ``svsm`` without an SVSM. ``cbitpos`` is CPUID 8000001F EBX[5:0] of the host,
    None without SNP. ``id_block`` and ``id_auth`` are base64. ``private_memory``: memory comes from
    memory-backend-memfd-private, as before QEMU 8.2. ``nocc_object``: QEMU wants an object to say that there is no
    confidential computing (coconut's 9 and 10). ``device_plane`` is the plane that devices interrupt, None without
    planes.
    """

    form: Form
    snp: Snp | None
    svsm: Svsm | None
    cbitpos: int | None = None
    id_block: str | None = None
    id_auth: str | None = None
    private_memory: bool = False
    nocc_object: bool = False
    device_plane: int | None = None

    @property
    def encrypted(self) -> bool:
        """Tell whether devices reach the guest's memory only where it shares it."""
        return self.snp is not None


def choose_form(svsm: Svsm | None, capabilities: Capabilities) -> Form:
    """Return the form that the scenario names, or the newest that this QEMU has.

    :raise Unsupported: if it has none for the file that the scenario gives.
    """
    if svsm is None:
        return Form.SNP
    if not svsm.igvm and not svsm.binary:
        raise Unsupported(_NO_IGVM, _NAME_IGVM)
    if svsm.form != "auto":
        return Form(svsm.form)
    of_object = capabilities.properties.get("sev-snp-guest", frozenset())
    of_machine = capabilities.properties.get("q35", frozenset())
    if svsm.igvm:
        old = "igvm-file" in of_object and "igvm-cfg" not in capabilities.types
        return Form.IGVM_FILE if old else Form.IGVM_CFG
    if "svsm" in of_object:
        return Form.PFLASH
    if "svsm" in of_machine:
        return Form.MACHINE
    raise Unsupported(
        f"QEMU {capabilities.version_text} takes no svsm.bin", "coconut's QEMU of 2023 does; newer ones take svsm.igvm"
    )


def choose_plane(svsm: Svsm | None, machine: Machine, *, known: bool) -> int | None:
    """Return the plane that devices interrupt; None: no planes. ``known``: this QEMU has planes."""
    if svsm is None or svsm.device_plane is None:
        return None
    if isinstance(svsm.device_plane, int):
        return svsm.device_plane
    # Only the split form of the interrupt controllers goes with planes, and a scenario may be about another.
    fits = svsm.form in ("auto", "igvm-cfg") and not svsm.binary and machine.irqchip in (None, "split")
    return svsm.guest_vmpl if known and fits else None


def require_launch(launch: Launch, capabilities: Capabilities) -> None:
    """Check that this QEMU has every object and property of the command line.

    :raise Unsupported: naming the first that it lacks, and the QEMU that would do.
    """
    if launch.form is Form.IGVM_CFG and launch.svsm is not None and launch.svsm.restricted_injection is not None:
        raise Unsupported(
            "with igvm-cfg the IGVM file decides about restricted injection", "leave svsm.restricted_injection out"
        )
    for words in _objects(launch, "1M"):
        kind, *settings = words
        _require(kind in capabilities.types, "object", kind, capabilities)
        known = capabilities.properties.get(kind)
        for name in (word.partition("=")[0] for word in settings):
            if known is not None and name != "id":
                _require(name in known, f"property of {kind},", name, capabilities)
    known = capabilities.properties.get("q35")
    for name in (word.partition("=")[0] for word in launch_machine_words(launch)):
        if known is not None and name != "kvm-type":
            _require(name in known, "property of machine q35,", name, capabilities)


def _require(there: bool, what: str, name: str, capabilities: Capabilities) -> None:
    if not there:
        raise Unsupported(f"QEMU {capabilities.version_text} has no {what} {name}", _SINCE.get(name))


def launch_cpu(launch: Launch) -> str:
    """Return the CPU model of the documented command line, for scenarios that name none."""
    if launch.snp is None:
        return "max,smep=on"
    # The firmware refuses CPUID values that it does not know, so a model is safer than the host's own.
    return "EPYC-v4,host-phys-bits=true" if launch.form is Form.MACHINE else "EPYC-v4"


def launch_machine_words(launch: Launch) -> tuple[str, ...]:
    """Return what is added to ``-machine``, less the interrupt controllers."""
    svsm = launch.svsm
    if launch.form is Form.MACHINE and svsm is not None:
        return f"memory-encryption={_ID}", "vmport=off", f"svsm={escape(svsm.binary)}"
    words = []
    if launch.snp is not None or launch.nocc_object:
        words.append(f"confidential-guest-support={_ID if launch.snp is not None else _NOCC}")
    words.append(f"memory-backend={_MEMORY}")
    if launch.private_memory:
        words.append("kvm-type=protected")
    if launch.form is Form.IGVM_CFG:
        words.append(f"igvm-cfg={_IGVM}")
    if launch.device_plane is not None:
        words.append(f"device-plane={launch.device_plane}")
    return tuple(words)


def launch_options(launch: Launch, machine: Machine) -> list[tuple[str, ...]]:
    """Return the objects, and the SVSM where it is a flash."""
    options: list[tuple[str, ...]] = [("-object", ",".join(words)) for words in _objects(launch, size(machine.memory))]
    if launch.form is Form.PFLASH and launch.svsm is not None:
        file = escape(launch.svsm.binary)
        options.append(("-drive", f"if=pflash,format=raw,unit=2,readonly=on,file={file}"))
    return options


# Each object as its type and its settings.
def _objects(launch: Launch, memory: str) -> list[list[str]]:
    objects = []
    if launch.form is not Form.MACHINE:
        # Shared: KVM takes private pages from guest_memfd, and QEMU's devices the shared ones from here. Not reserved:
        # most of it is never touched, because most of the guest is private.
        backend = ["memory-backend-memfd", f"id={_MEMORY}", f"size={memory}", "share=true"]
        if launch.private_memory:
            backend[0] = "memory-backend-memfd-private"
        else:
            backend += ["prealloc=false", "reserve=false"]
        objects.append(backend)
    if launch.snp is not None:
        objects.append(_snp_words(launch, launch.snp))
    elif launch.nocc_object:
        objects.append(["nocc", f"id={_NOCC}"])
    if launch.form is Form.IGVM_CFG and launch.svsm is not None:
        objects.append(["igvm-cfg", f"id={_IGVM}", f"file={escape(launch.svsm.igvm)}"])
    return objects


def _snp_words(launch: Launch, snp: Snp) -> list[str]:
    words = ["sev-snp-guest", f"id={_ID}", f"cbitpos={launch.cbitpos}", f"reduced-phys-bits={_REDUCED_PHYS_BITS}"]
    # Left out where it is QEMU's own default, as the documented lines do.
    if snp.policy != SnpPolicy() or launch.form is Form.MACHINE:
        words.append(f"policy={snp.policy.number:#x}")
    if launch.svsm is not None:
        words += _svsm_words(launch.form, launch.svsm)
    words += [f"{name}={value}" for name, value in _settings(launch, snp).items() if value is not None]
    return words


def _svsm_words(form: Form, svsm: Svsm) -> list[str]:
    restricted = svsm.restricted_injection
    if form is Form.IGVM_FILE:
        flags = _FLAG_SVSM | (_FLAG_RESTRICTED if restricted is not False else 0)
        return [f"init-flags={flags}", f"igvm-file={escape(svsm.igvm)}"]
    if form is Form.PFLASH:
        return ["svsm=on", *([f"init-flags={_FLAG_RESTRICTED}"] if restricted else [])]
    if form is Form.MACHINE:
        return [f"init-flags={_FLAG_SVSM | (_FLAG_RESTRICTED if restricted else 0):#x}"]
    return []


def _settings(launch: Launch, snp: Snp) -> Mapping[str, str | None]:
    def switch(on: bool) -> str | None:
        return "on" if on else None

    return {
        "host-data": None if snp.host_data is None else base64.b64encode(bytes.fromhex(snp.host_data)).decode(),
        "id-block": launch.id_block,
        "id-auth": launch.id_auth,
        "author-key-enabled": switch(snp.author_key),
        "kernel-hashes": switch(snp.kernel_hashes),
        "vcek-disabled": switch(snp.vcek_disabled),
        "secure-tsc": switch(snp.secure_tsc),
        "tsc-frequency": None if snp.tsc_frequency is None else str(snp.tsc_frequency),
    }
