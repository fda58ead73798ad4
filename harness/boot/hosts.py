"""Open the host that ``--host`` names, and look at it once for the whole run."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from harness.boot.site import Site, open_site, site_of
from harness.boot.virtual_host import open_virtual_site
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
async def open_host_site(
    name: str,
    environment: Mapping[str, str],
    results: Path | None = None,
    kernel: str | None = None,
    modules: str | None = None,
) -> AsyncIterator[Site]:
    """Yield the site of ``local``, of ``virtual`` or of a machine of the inventory; nothing is left on it afterwards.

    ``results`` is where the log of a virtual host begins, until :meth:`Site.keep_log` moves it into the run's folder;
    None: it is not kept.
    ``kernel`` and ``modules`` are what a virtual host boots; None: what guests boot.

    :raise InputError: if the inventory has no such host, or is wrong.
    :raise HostError: if the host cannot be reached, its key has changed, or it has no QEMU that runs.
    """
    if name == HostKind.LOCAL:
        yield await open_site(environment)
        return
    if name == HostKind.VIRTUAL:
        here = await open_site(environment)
        with _log_folder(results) as logs:
            async with open_virtual_site(here, logs, kernel, modules) as site:
                yield replace(site, log=logs)
        return
    entry, jumps = find_host(name, environment)
    deadline = Deadline.after(_OPEN_S)
    async with open_ssh_host(name, HostKind.SSH, login_by_entry(name, entry, jumps), deadline) as host:
        try:
            site = await site_of(host, entry.qemu, environment, entry.slots, deadline)
        except HostLost as lost:
            raise HostError(str(lost)) from lost
        yield site


# Beside the runs, so that it can be renamed into one. What no run has taken is removed with its host.
@contextmanager
def _log_folder(results: Path | None) -> Iterator[Path]:
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=".host-", dir=results))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
