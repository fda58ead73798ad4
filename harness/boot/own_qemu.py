"""Boot with the QEMU that a scenario names, in place of the host's."""

from __future__ import annotations

import shutil
from dataclasses import replace

from harness.boot.site import Site
from harness.clock import Deadline
from harness.errors import HostError, InputError
from harness.host.protocol import HostKind
from harness.qemu.capabilities import probe_capabilities
from harness.qemu.capabilities_there import probe_capabilities_there

__all__ = ["QemuUnusable", "with_qemu"]

_ASK_S = 60.0


class QemuUnusable(InputError):
    """Say that a QEMU which was named is not there, or cannot be run."""


async def with_qemu(site: Site, qemu: str | None) -> Site:
    """Return the site with ``qemu``, a path on its host or a name on its PATH; None: with its own, as it is.

    :raise QemuUnusable: if there is none, or it cannot be run.
    :raise HostLost: if the host goes away.
    """
    if qemu is None:
        return site
    try:
        if site.host.kind is HostKind.LOCAL:
            found = shutil.which(qemu, path=site.environment.get("PATH"))
            if found is None:
                raise QemuUnusable(f"machine.qemu: there is no {qemu} that can be run")
            capabilities = await probe_capabilities(found, site.cache)
        else:
            capabilities = await probe_capabilities_there(site.host, qemu, site.cache, Deadline.after(_ASK_S))
    except (HostError, TimeoutError) as error:
        raise QemuUnusable(f"machine.qemu: {error or 'it does not answer'}") from error
    return replace(site, capabilities=capabilities)
