"""Ask a QEMU on another machine what it can do; the answer is kept here, under that file's identity."""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

from harness.clock import Deadline, monotonic_s
from harness.errors import HostError, LaunchError
from harness.host.protocol import QemuHost
from harness.qemu.capabilities import Capabilities, keep, list_capabilities, recall
from harness.qemu.monitor import connect_monitor
from harness.qemu.process import describe_status
from harness.qemu.there import start_process_there

__all__ = ["probe_capabilities_there"]

# The modules that a distribution splits off QEMU add types to it, so their folder counts as well.
_IDENTITY = """p=$(command -v {qemu}) || exit 3
stat -Lc '%n %s %Y' "$p"
stat -c '%n %Y' /usr/lib/x86_64-linux-gnu/qemu /usr/lib64/qemu /usr/lib/qemu 2>/dev/null
exit 0
"""


async def probe_capabilities_there(host: QemuHost, qemu: str, cache: Path, deadline: Deadline) -> Capabilities:
    """Return what ``qemu``, a path on the host or a name on its PATH, can do.

    :raise HostError: if there is none, or it cannot be run (:class:`LaunchError` with its standard error).
    :raise HostLost, TimeoutError: if the host goes away, or does not answer until the deadline.
    """
    done = await host.run(_IDENTITY.format(qemu=shlex.quote(qemu)), deadline)
    if done.status != 0:
        raise HostError(
            f"host {host.name} has no {qemu}; install QEMU there, or name its path by `qemu:` in the host's entry"
        )
    identity = done.stdout.decode(errors="replace")
    binary = identity.splitlines()[0].rsplit(" ", 2)[0]
    key = hashlib.sha256(f"{host.name} {host.facts.cpu_model} {identity}".encode()).hexdigest()[:24]
    kept = cache / "qemu" / f"{key}.json"
    found = recall(kept)
    if found is None:
        found = await _ask(host, binary, deadline)
        keep(found, kept)
    return found


async def _ask(host: QemuHost, binary: str, deadline: Deadline) -> Capabilities:
    start_s = monotonic_s()
    folder = f"{await host.folder(deadline)}/ask-{token_hex(8)}"
    await host.run(f"mkdir {shlex.quote(folder)}", deadline)
    argv = [
        binary,
        "-machine", "none",
        "-nodefaults",
        "-display", "none",
        "-chardev", "stdio,id=qmp,signal=off",
        "-mon", "chardev=qmp,mode=control",
    ]  # fmt: skip
    descriptor = os.memfd_create("svsm-qemu-stderr")
    with os.fdopen(descriptor, "rb") as said, ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        stack.callback(theirs.close)
        ours.setblocking(False)
        stderr = Path(f"/proc/self/fd/{descriptor}")
        async with start_process_there(host, argv, folder, stderr, theirs, {}, {}, deadline) as process:
            try:
                async with connect_monitor(
                    ours, lambda: monotonic_s() - start_s, lambda _: None, deadline
                ) as monitor:  # fmt: skip
                    return await list_capabilities(binary, monitor, deadline)
            except HostError as error:
                status = await process.end(Deadline.after(1.0))
                text = said.read().decode(errors="replace")
                raise LaunchError([binary, "-version"], describe_status(status), text) from error
