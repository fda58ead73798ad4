"""Ask a QEMU binary what it can do, and say what a scenario needs that it cannot.

Nothing is concluded from a version number: the binary lists its machines, CPU models and types over QMP. The answer
is kept in the cache directory under the binary's identity, because asking takes a quarter of a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.clock import Deadline, monotonic_s
from harness.errors import HostError, LaunchError
from harness.qemu.monitor import Monitor, connect_monitor
from harness.qemu.process import describe_status, start_process

__all__ = ["Capabilities", "find_qemu", "keep", "list_capabilities", "probe_capabilities", "recall"]

_PROBE_S = 30.0
_PROPERTIES_OF = ("sev-snp-guest", "igvm-cfg", "memory-backend-memfd")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """List what one QEMU binary offers.

    ``version`` is (major, minor, micro); ``package`` is the distribution's own version text. ``machines`` maps a
    machine type, aliases included, to the vCPUs that it takes at most.
    """

    binary: str
    version: tuple[int, ...]
    package: str
    machines: Mapping[str, int]
    cpus: frozenset[str]
    types: frozenset[str]
    pci_types: frozenset[str]
    #: The properties of what SNP guests are made of, and of the machine q35; a type that is not here was not asked for.
    properties: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def version_text(self) -> str:
        """Render the version: ``7.2.22``."""
        return ".".join(map(str, self.version))

    @property
    def release(self) -> str:
        """Render the version and, where a distribution gives one, its package's: ``7.2.22 (Debian 1:7.2+dfsg-7)``."""
        return f"{self.version_text} {self.package}".strip()


def find_qemu(environment: Mapping[str, str]) -> str:
    """Return the path of the QEMU to use: ``$SVSM_HARNESS_QEMU``, or the first ``qemu-system-x86_64`` on the path.

    :raise HostError: if there is none.
    """
    wanted = environment.get("SVSM_HARNESS_QEMU", "qemu-system-x86_64")
    found = shutil.which(wanted, path=environment.get("PATH"))
    if found is None:
        raise HostError(
            f"there is no {wanted}; `ci/quickstart` installs it, "
            "or name one by SVSM_HARNESS_QEMU=/path/to/qemu-system-x86_64"
        )
    return found


async def probe_capabilities(binary: str, cache: Path) -> Capabilities:
    """Return what ``binary`` can do, from ``cache`` if this very file was asked before.

    :raise HostError: if it cannot be run at all (:class:`LaunchError` with its standard error).
    """
    try:
        identity = Path(binary).stat()
    except OSError as error:
        raise HostError(f"cannot read {binary}: {error.strerror}") from error
    # The modules that a distribution splits off QEMU add types to it, so their directory counts as well.
    key = f"{Path(binary).resolve()} {identity.st_size} {identity.st_mtime_ns} {_modules_stamp()}"
    kept = cache / "qemu" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    found = recall(kept)
    if found is None:
        found = await _ask(binary)
        keep(found, kept)
    return found


def recall(kept: Path) -> Capabilities | None:
    """Return what :func:`keep` wrote; None if that is not there, or damaged: it can be asked again."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _from_json(kept.read_text())
    return None


def keep(found: Capabilities, kept: Path) -> None:
    """Write an answer down.

    :raise HostError: if the cache cannot be written.
    """
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own for each process: several may ask at once, and the last to be done is as good as the first.
        whole = kept.with_suffix(f".{os.getpid()}")
        whole.write_text(_to_json(found))
        whole.replace(kept)
    except OSError as error:
        raise HostError(f"cannot write {kept}: {error.strerror}; set XDG_CACHE_HOME to a folder that can") from error


def _modules_stamp() -> int:
    for folder in ("/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib64/qemu", "/usr/lib/qemu"):
        if Path(folder).is_dir():
            return Path(folder).stat().st_mtime_ns
    return 0


async def _ask(binary: str) -> Capabilities:
    deadline = Deadline.after(_PROBE_S)
    start_s = monotonic_s()
    descriptor = os.memfd_create("svsm-qemu-stderr")  # no file that a SIGKILL could leave behind
    with os.fdopen(descriptor, "rb") as said:
        stderr = Path(f"/proc/self/fd/{descriptor}")
        ours, child = socket.socketpair()
        with ours, child:
            ours.setblocking(False)
            argv = [
                binary,
                "-machine", "none",
                "-nodefaults",
                "-display", "none",
                "-chardev", f"socket,id=qmp,fd={child.fileno()}",
                "-mon", "chardev=qmp,mode=control",
            ]  # fmt: skip
            async with start_process(argv, stderr, [child.fileno()]) as process:
                child.close()
                try:
                    async with connect_monitor(
                        ours, lambda: monotonic_s() - start_s, lambda _: None, deadline
                    ) as monitor:
                        return await list_capabilities(binary, monitor, deadline)
                except HostError as error:
                    status = await process.end(Deadline.after(1.0))
                    text = said.read().decode(errors="replace")
                    raise LaunchError([binary, "-version"], describe_status(status), text) from error


async def list_capabilities(binary: str, monitor: Monitor, deadline: Deadline) -> Capabilities:
    """Ask a QEMU that runs without a machine.

    :raise MonitorLost, QmpRefused: as :meth:`Monitor.execute`.
    """
    version = await monitor.execute("query-version", None, deadline)
    machines: dict[str, int] = {}
    q35 = None
    for machine in await monitor.execute("query-machines", None, deadline):
        q35 = machine["name"] if machine.get("alias") == "q35" else q35
        for name in (machine["name"], machine.get("alias")):
            if name is not None:
                machines[name] = machine["cpu-max"]
    cpus = await monitor.execute("query-cpu-definitions", None, deadline)
    types = await monitor.execute("qom-list-types", {"abstract": False}, deadline)
    pci = await monitor.execute("qom-list-types", {"implements": "pci-device", "abstract": False}, deadline)
    kinds = frozenset(kind["name"] for kind in types)
    asked = {name: name for name in _PROPERTIES_OF if name in kinds} | ({"q35": f"{q35}-machine"} if q35 else {})
    properties = {name: await _properties(kind, monitor, deadline) for name, kind in asked.items()}
    number = version["qemu"]
    return Capabilities(
        binary=binary,
        version=(number["major"], number["minor"], number["micro"]),
        package=version["package"],
        machines=machines,
        # `host` and `max` are listed by KVM builds or not at all, depending on the version; both always parse.
        cpus=frozenset(cpu["name"] for cpu in cpus) | {"host", "max"},
        types=kinds,
        pci_types=frozenset(kind["name"] for kind in pci),
        properties=properties,
    )


async def _properties(kind: str, monitor: Monitor, deadline: Deadline) -> frozenset[str]:
    listed = await monitor.execute("qom-list-properties", {"typename": kind}, deadline)
    return frozenset(one["name"] for one in listed)


def _to_json(found: Capabilities) -> str:
    return json.dumps(asdict(found), default=sorted)


def _from_json(text: str) -> Capabilities:
    kept = json.loads(text)
    return Capabilities(
        binary=kept["binary"],
        version=tuple(kept["version"]),
        package=kept["package"],
        machines=kept["machines"],
        cpus=frozenset(kept["cpus"]),
        types=frozenset(kept["types"]),
        pci_types=frozenset(kept["pci_types"]),
        properties={name: frozenset(names) for name, names in kept["properties"].items()},
    )
