"""Decide how an SNP guest or an SVSM is started on this host, or why it cannot be."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from pathlib import Path

from harness.boot.site import Site
from harness.clock import Deadline
from harness.errors import InputError, Unsupported
from harness.host.snp import SnpFacts, ask_snp
from harness.qemu.capabilities import Capabilities
from harness.qemu.snp import FORM_OF_TODAY, Form, Launch, choose_form, choose_plane, require_launch
from harness.scenario.setting import Setting

__all__ = [
    "SNP_NOT_ASKED",
    "launch_of",
    "needs_snp",
    "plan_launch",
    "probe_snp",
    "read_id_block",
    "shown_setting",
    "with_firmware",
]

_ASK_S = 15.0
# SEV-SNP firmware ABI, SNP_LAUNCH_FINISH: the sizes of the ID block and of the page that authenticates it.
_ID_BLOCK_BYTES, _ID_AUTH_BYTES = 96, 4096
# What a shown command line has where the host has nothing to say: the names that COCONUT's documents use, and the
# C-bit of Genoa and Turin.
_SHOWN_IGVM, _SHOWN_FIRMWARE, _SHOWN_CBITPOS = "coconut-qemu.igvm", "/usr/share/ovmf/OVMF.amdsev.fd", 51
_NO_FIRMWARE = Unsupported(
    "no OVMF for SEV is at the usual places", "install ovmf (edk2-ovmf), or name one by machine.firmware"
)


SNP_NOT_ASKED = SnpFacts("the host was not asked about SNP", "", None, None)


async def probe_snp(site: Site) -> SnpFacts:
    """Ask the site's host about SNP.

    :raise HostLost: if the host is lost.
    """
    return await ask_snp(site.host, Deadline.after(_ASK_S))


def needs_snp(setting: Setting) -> bool:
    """Tell whether the host has to be asked about SNP."""
    return setting.snp is not None


def plan_launch(setting: Setting, capabilities: Capabilities, host: SnpFacts) -> Launch | None:
    """Return how the setting's SNP guest or SVSM is started; None if it is neither.

    :raise Unsupported: with the first thing in the way: the host, the QEMU, or the IGVM file.
    :raise InputError: if a file of an ID block is none.
    """
    if setting.snp is None and setting.svsm is None:
        return None
    if setting.snp is not None and host.why_not:
        raise Unsupported(host.why_not, host.remedy)
    form = choose_form(setting.svsm, capabilities)
    launch = replace(
        _launch(setting, form, host.cbitpos),
        private_memory="memory-backend-memfd-private" in capabilities.types,
        nocc_object=setting.snp is None and "nocc" in capabilities.types,
        device_plane=_plane(setting, known="device-plane" in capabilities.properties.get("q35", ())),
    )
    require_launch(launch, capabilities)
    return launch


async def launch_of(setting: Setting, site: Site) -> Launch | None:
    """Ask the site what is needed and return how the setting is started; None if it is neither SNP guest nor SVSM.

    :raise Unsupported: as :func:`plan_launch`.
    :raise HostLost: if the host is lost.
    """
    host = await probe_snp(site) if needs_snp(setting) else SNP_NOT_ASKED
    return plan_launch(setting, site.capabilities, host)


def with_firmware(setting: Setting, host: SnpFacts) -> Setting:
    """Return the setting with the host's OVMF for SEV, where it needs one and names none.

    :raise Unsupported: if the host has none either.
    """
    if setting.snp is None or setting.svsm is not None or setting.machine.firmware is not None:
        return setting
    if host.firmware is None:
        raise _NO_FIRMWARE
    return replace(setting, machine=setting.machine.model_copy(update={"firmware": host.firmware}))


def shown_setting(setting: Setting, host: SnpFacts) -> tuple[Setting, Launch | None, tuple[str, ...]]:
    """Return what to show of a setting that cannot run here, and a sentence for each thing that stands in."""
    notes = []
    svsm = setting.svsm
    if setting.guest is not None:
        # They are inside the initramfs, and this machine's kernel need not have them.
        setting = replace(setting, guest=setting.guest.model_copy(update={"extra_modules": ()}))
    if svsm is not None and not svsm.igvm and not svsm.binary:
        notes.append(f"{_SHOWN_IGVM} stands in for the IGVM file (--set svsm.igvm=FILE)")
        setting = replace(setting, svsm=svsm.model_copy(update={"igvm": _SHOWN_IGVM}))
    if setting.snp is not None and host.cbitpos is None:
        notes.append(f"cbitpos={_SHOWN_CBITPOS} stands in for what the CPUID of an SNP host says")
    firmware = host.firmware or _SHOWN_FIRMWARE
    shown = with_firmware(setting, replace(host, firmware=firmware))
    if shown is not setting and host.firmware is None:
        notes.append(f"{firmware} stands in for the host's OVMF (--set machine.firmware=FILE)")
    if shown.snp is None and shown.svsm is None:
        return shown, None, tuple(notes)
    form = _form_of_file(shown)
    launch = _launch(shown, form, host.cbitpos or _SHOWN_CBITPOS, read=False)
    plane = _plane(shown, known=form is FORM_OF_TODAY)
    return shown, replace(launch, private_memory=form is Form.PFLASH, device_plane=plane), tuple(notes)


# Planes are VMPLs: without SNP there is none.
def _plane(setting: Setting, *, known: bool) -> int | None:
    return None if setting.snp is None else choose_plane(setting.svsm, setting.machine, known=known)


def _form_of_file(setting: Setting) -> Form:
    svsm = setting.svsm
    if svsm is None:
        return Form.SNP
    if svsm.form != "auto":
        return Form(svsm.form)
    return Form.PFLASH if svsm.binary else FORM_OF_TODAY


def _launch(setting: Setting, form: Form, cbitpos: int | None, *, read: bool = True) -> Launch:
    snp = setting.snp
    block = auth = None
    if snp is not None and snp.id_block is not None and snp.id_auth is not None:
        block, auth = snp.id_block, snp.id_auth
        if read:
            block = read_id_block(Path(snp.id_block), "snp.id_block", _ID_BLOCK_BYTES)
            auth = read_id_block(Path(snp.id_auth), "snp.id_auth", _ID_AUTH_BYTES)
    return Launch(form, snp, setting.svsm, cbitpos if snp is not None else None, block, auth)


def read_id_block(path: Path, key: str, wanted_bytes: int) -> str:
    """Return the base64 text of a file, which must stand for ``wanted_bytes`` bytes.

    :raise InputError: if it cannot be read or holds something else.
    """
    try:
        text = "".join(path.read_text(encoding="ascii").split())
        found = len(base64.b64decode(text, validate=True))
    except OSError as error:
        raise InputError(f"{key}: cannot read {path}: {error.strerror}") from error
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InputError(f"{key}: {path} is no base64 text; `snpguest generate id-block` writes one") from error
    if found != wanted_bytes:
        raise InputError(f"{key}: {path} stands for {found} bytes, not {wanted_bytes}")
    return text
