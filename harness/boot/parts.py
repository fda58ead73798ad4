"""Say what a boot would be made of here and now: which QEMU, which kernel, which initramfs."""

from __future__ import annotations

from collections.abc import Mapping

from harness.boot.load import prepare_load
from harness.boot.own_qemu import with_qemu
from harness.boot.run import PlannedBoot
from harness.boot.site import Site

__all__ = ["parts_of"]


async def parts_of(plan: PlannedBoot, site: Site) -> Mapping[str, str]:
    """Return the digest or version of each part by its name, as a boot's record has them (``QEMU`` is its ``qemu``).

    :raise InputError: if a file that the setting names cannot be used.
    :raise HostError: if this machine lacks a part of a guest.
    """
    load = await prepare_load(plan.setting, site, plan.accel)
    capabilities = (await with_qemu(site, plan.setting.machine.qemu)).capabilities
    return {"QEMU": capabilities.release, "qemu binary": capabilities.binary, **load.provenance}
