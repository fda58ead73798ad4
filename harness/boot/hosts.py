"""Open the host that ``--host`` names, and look at it once for the whole run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from harness.boot.site import Site, open_site, site_of
from harness.clock import Deadline
from harness.errors import HostError
from harness.host.inventory import find_host
from harness.host.login import login_by_entry
from harness.host.protocol import HostKind, HostLost
from harness.host.ssh import open_ssh_host

__all__ = ["open_host_site"]

# To connect, to copy nothing yet, and to ask QEMU what it is, on a machine that may be busy.
_OPEN_S = 60.0


@asynccontextmanager
async def open_host_site(name: str, environment: Mapping[str, str]) -> AsyncIterator[Site]:
    """Yield the site of ``local`` or of a machine of the inventory; nothing of ours is left on it afterwards.

    :raise InputError: if the inventory has no such host, or is wrong.
    :raise HostError: if the host cannot be reached, its key has changed, or it has no QEMU that runs.
    """
    if name == HostKind.LOCAL:
        yield await open_site(environment)
        return
    entry, jumps = find_host(name, environment)
    deadline = Deadline.after(_OPEN_S)
    async with open_ssh_host(name, HostKind.SSH, login_by_entry(name, entry, jumps), deadline) as host:
        try:
            site = await site_of(host, entry.qemu, environment, entry.slots, deadline)
        except HostLost as lost:
            raise HostError(str(lost)) from lost
        yield site
