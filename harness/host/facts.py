"""Ask a host what it is; pure but for the running of one script."""

from __future__ import annotations

import re

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.protocol import Host, HostFacts

__all__ = ["ask_facts", "parse_facts"]

# What separates the parts of the answer; none of the files can hold such a line.
_NEXT = "---svsm-harness---"
_SCRIPT = f"""# uname
uname -r; echo {_NEXT}
cat /proc/sys/kernel/random/boot_id; echo {_NEXT}
nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo; echo {_NEXT}
grep ^MemTotal /proc/meminfo; echo {_NEXT}
grep -m1 '^model name' /proc/cpuinfo || :
"""


async def ask_facts(host: Host, deadline: Deadline) -> HostFacts:
    """Return what the host says of itself.

    :raise HostError: when it is no Linux that answers as one.
    :raise HostLost, TimeoutError: as :meth:`Host.run`.
    """
    done = await host.run(_SCRIPT, deadline)
    parts = [part.strip() for part in done.stdout.decode(errors="replace").split(_NEXT)]
    if done.status != 0 or len(parts) != 5:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-300:]
        raise HostError(f"host {host.name} is not a Linux that tells what it is: {said or 'it said nothing'}")
    return parse_facts(*parts)


def parse_facts(release: str, boot_id: str, cpus: str, meminfo: str, cpuinfo: str) -> HostFacts:
    """Read the texts of ``uname -r``, of the files below /proc, and the number of CPUs.

    :raise HostError: when a number is none.
    """
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo, re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    if memory is None or not cpus.strip().isdigit():
        raise HostError(f"cannot read how large a host is: {cpus.strip()!r} CPUs, memory {meminfo[:60]!r}")
    return HostFacts(
        release=release.strip(),
        boot_id=boot_id.strip(),
        cpus=int(cpus),
        memory_bytes=int(memory[1]) << 10,
        cpu_model=" ".join(model[1].split()) if model else "",
    )
