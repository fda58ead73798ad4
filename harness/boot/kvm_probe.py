"""Find out whether KVM on a host really runs a Linux guest.

A ``/dev/kvm`` that opens, and even one that answers KVM_GET_API_VERSION with 12, may still boot no Linux guest (nested
hypervisors that implement a part of KVM). So a guest is booted, and KVM is trusted once that guest has printed. The
answer holds until the machine is rebooted or QEMU or the image changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import AsyncFileLock

from harness.boot.load import Load, prepare_load
from harness.boot.site import Site
from harness.boot.start import start_machine
from harness.clock import Deadline
from harness.errors import HostError
from harness.evidence.startup import MILESTONES
from harness.host.local import LocalHost
from harness.host.protocol import HostKind, QemuHost
from harness.qemu.command import Accel, QemuCommand, Stream, Wiring, build_command
from harness.qemu.command import Guest as Loaded
from harness.qemu.console import Console
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost
from harness.results.files import write_whole
from harness.scenario.model import Guest, Machine
from harness.scenario.setting import Setting

__all__ = ["KvmAnswer", "probe_kvm"]

_DEVICE = Path("/dev/kvm")
_PROBE_AFAR_S = 90.0
_ABSENT, _CLOSED = 1, 2
_ASK_S = 10.0
# Under working KVM the guest's init prints within two seconds; this is for slow nested ones.
_PROBE_S = 20.0
_PRINTED = next(milestone.pattern for milestone in MILESTONES if milestone.name == "init")


@dataclass(frozen=True, slots=True)
class KvmAnswer:
    """Say whether KVM can be trusted here, and what that rests on."""

    usable: bool
    why: str


async def probe_kvm(site: Site) -> KvmAnswer:
    """Return whether a Linux guest boots under KVM here; asked once per boot of this machine.

    :raise HostError: if the probe guest cannot be built.
    """
    access = await _access(site.host)
    if access == _ABSENT:
        return KvmAnswer(False, "there is no /dev/kvm: no KVM module, or no virtualisation in this machine")
    if access == _CLOSED:
        return KvmAnswer(False, "/dev/kvm may not be opened by this user; join the group kvm, or run as root")
    setting = Setting(Machine(accel="kvm"), Guest(ssh=False), None, (), (), _PROBE_S, None)
    load = await prepare_load(setting, site, Accel.KVM)
    kept = site.cache / "kvm" / f"{_key(site, load)}.json"
    if kept.exists():
        return KvmAnswer(**json.loads(kept.read_text()))
    kept.parent.mkdir(parents=True, exist_ok=True)
    async with AsyncFileLock(kept.parent / f"{site.host.name}.lock"):  # one probe at a time: the others take its answer
        if kept.exists():
            return KvmAnswer(**json.loads(kept.read_text()))
        answer = await _boot(site, setting, load, _empty(kept.parent / f"probe-{site.host.name}"))
        write_whole(kept, json.dumps(asdict(answer)).encode())
        return answer


def _empty(folder: Path) -> Path:
    # In the cache, under one name: what a probe that was killed has left is removed by the next.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


async def _access(host: QemuHost) -> int:
    if host.kind is HostKind.LOCAL:
        if not _DEVICE.exists():
            return _ABSENT
        return 0 if os.access(_DEVICE, os.R_OK | os.W_OK) else _CLOSED
    script = f"[ -e {_DEVICE} ] || exit {_ABSENT}; [ -r {_DEVICE} ] && [ -w {_DEVICE} ] || exit {_CLOSED}"
    return (await host.run(script, Deadline.after(_ASK_S))).status or 0


def _key(site: Site, load: Load) -> str:
    # A virtual host is made anew for every run, but out of the same parts on the same machine.
    facts = site.host.facts
    virtual = site.host.kind is HostKind.VIRTUAL
    booted = f"{LocalHost().facts.boot_id} {facts.release} {facts.cpu_model}" if virtual else facts.boot_id
    parts = (booted, site.capabilities.binary, site.capabilities.package, load.provenance["kernel"])
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:24]


async def _boot(site: Site, setting: Setting, load: Load, folder: Path) -> KvmAnswer:
    capabilities = site.capabilities

    def compose(machine: Machine, loaded: Loaded, wiring: Wiring) -> QemuCommand:
        return build_command(capabilities.binary, capabilities.version, Accel.KVM, machine, loaded, wiring)

    # Elsewhere its files have to be copied first, and a virtual host emulates.
    deadline = Deadline.after(_PROBE_S if site.host.kind is HostKind.LOCAL else _PROBE_AFAR_S)
    try:
        start = start_machine(compose, setting.machine, (Stream.CONSOLE,), load, site, folder, deadline)
        async with start as machine:
            await machine.start(deadline)
            return await _printed(machine, deadline)
    except (HostError, MonitorLost) as error:
        stderr = folder / "qemu.stderr"
        said = stderr.read_text(errors="replace").strip().splitlines() if stderr.exists() else []
        why = said[-1] if said else str(error).splitlines()[0]
        return KvmAnswer(False, f"a probe guest did not start under KVM: {why}")


async def _printed(machine: VirtualMachine, deadline: Deadline) -> KvmAnswer:
    console: Console = machine.console
    try:
        await console.wait_for(_PRINTED, deadline)
    except (TimeoutError, EOFError):
        seen = f"after {console.total_bytes} bytes of console" if console.total_bytes else "without a word"
        return KvmAnswer(False, f"a probe guest stopped under KVM {seen}")
    return KvmAnswer(True, "a probe guest booted under KVM and printed")
