"""Take one of the host's ASIDs for SNP guests, or the whole host, by locks that a dead holder frees.

The locks are files on the host that runs QEMU, held there by a script (flock(1)): everybody who boots on that host
counts, whichever machine they type on. The script ends with the connection, and the kernel frees its locks.

Shared by all who boot, exclusively by a job for the whole host: the lock ``host``. Who wants the host alone holds the
lock ``turn`` while it waits, so that no stream of boots can keep it waiting for ever.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.protocol import Host

__all__ = ["ask_slots", "exclusive_host", "parse_slots", "snp_slot"]

_ASK_S = 10.0
# cgroup v2 misc.capacity counts ASIDs of SEV-ES and SNP guests together under sev_es (Linux arch/x86/kvm/svm/sev.c,
# MISC_CG_RES_SEV_ES), which is CPUID 8000001F EDX less one.
_CAPACITY = "/sys/fs/cgroup/misc.capacity"
_FOLDER = """d=/run/lock
[ -w "$d" ] || d=/tmp
d=$d/svsm-harness
(umask 0; mkdir -p "$d") 2>/dev/null
[ -d "$d" ] || { echo "cannot make $d" >&2; exit 1; }
command -v flock >/dev/null || { echo "flock is missing; install util-linux" >&2; exit 1; }
"""
# The waiting is done beside the script, which ends it when our end of the connection ends.
_HELD = """
(
{wait}
echo got
exec sleep 2147483647
) 3<&0 </dev/null &
w=$!
cat >/dev/null
kill -KILL $w
"""
_SLOT = """
( umask 0; : >>"$d/turn"; : >>"$d/host" )
exec 7<"$d/turn" 8<"$d/host"
flock -s 7 && flock -s 8 || exit 1
exec 7<&-
while :; do
	n=1
	while [ $n -le {slots} ]; do
		( umask 0; : >>"$d/slot$n" )
		exec 9<"$d/slot$n"
		flock -n 9 && break 2
		n=$((n + 1))
	done
	sleep 0.2
done
"""
_ALONE = """
( umask 0; : >>"$d/turn"; : >>"$d/host" )
exec 7<"$d/turn" 8<"$d/host"
flock -x 7 && flock -x 8 || exit 1
"""


async def ask_slots(host: Host) -> int | None:
    """Return how many SNP guests the host can run at a time; None: it does not say.

    :raise HostLost, TimeoutError: as :meth:`Host.run`.
    """
    done = await host.run(f"# ASIDs\ncat {_CAPACITY}", Deadline.after(_ASK_S))
    return parse_slots(done.stdout.decode(errors="replace"))


def parse_slots(capacity: str) -> int | None:
    """Read ``misc.capacity``."""
    found = re.search(r"^sev_es (\d+)$", capacity, re.MULTILINE)
    return int(found[1]) if found and int(found[1]) else None


@asynccontextmanager
async def snp_slot(host: Host, slots: int) -> AsyncIterator[None]:
    """Wait for one of the host's ``slots``, and hold it while the body runs.

    :raise HostError: if the host cannot lock.
    :raise HostLost: if it goes away.
    """
    async with _held(host, "an ASID", _SLOT.format(slots=slots)):
        yield


@asynccontextmanager
async def exclusive_host(host: Host) -> AsyncIterator[None]:
    """Wait until nobody holds a slot of the host, and let nobody have one while the body runs.

    :raise HostError: if the host cannot lock.
    :raise HostLost: if it goes away.
    """
    async with _held(host, "the host alone", _ALONE):
        yield


@asynccontextmanager
async def _held(host: Host, what: str, wait: str) -> AsyncIterator[None]:
    script = f"# {what}\n{_FOLDER}{_HELD.format(wait=wait)}"
    async with host.open(script) as process:
        said, errors = b"", b""
        while b"got\n" not in said:
            piece = await process.receive()
            if piece is None:
                raise HostError(f"host {host.name} cannot give {what}: {errors.decode(errors='replace').strip()}")
            said += piece[0]
            errors += piece[1]
        yield
