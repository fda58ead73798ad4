"""Be a machine that reboots into chosen kernels: an SSH server of this one, with a release and a boot id of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ssh_server import Server, serve

from harness.regress.bisect_host import BisectHost, open_bisect_host
from harness.regress.journal import HostOpened
from harness.results.store import Run

__all__ = ["NEW", "OLD", "USUAL", "Machine", "image", "kernel_image", "machine", "use"]

#: What it runs when nothing else was chosen.
USUAL = "6.1.0-usual"
OLD, NEW = "6.6.0-old", "6.6.0-new"

# What the harness asks a host of itself; all else is the real thing.
_UNAME = '[ "$1" = -r ] && exec cat "{lab}/release"; exec /bin/uname "$@"'
_CAT = """case "$1" in
/proc/sys/kernel/random/boot_id) set -- "{lab}/boot_id" ;;
/sys/kernel/notes) set -- "{lab}/notes" ;;
esac
exec /bin/cat "$@" """


def kernel_image(path: Path, release: str, build_id: str | None) -> Path:
    """Make an ELF file that has all that is looked at of a vmlinux; ``build_id`` None: it has none."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    build = "-Wl,--build-id=none" if build_id is None else f"-Wl,--build-id=0x{build_id}"
    source = f'const char banner[] = "Linux version {release} (me)"; void _start(void) {{}}'
    words = ["gcc", "-xc", "-", "-nostdlib", "-static", build, "-o", str(path)]
    subprocess.run(words, input=source.encode(), check=True)
    return path


@dataclass
class Machine:
    """Be it; ``broken`` kernels do not come up, ``dead`` ones keep it down until its power is switched off and on.

    ``stutters``: its SSH server is started anew once before it reboots.
    """

    folder: Path
    server: Server
    broken: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    stutters: bool = False
    build_ids: dict[str, str] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def section(self, *, power: bool = False, up_within: str = "60s", install: bool = True) -> str:
        """Return the inventory with the commands of its ``kernel`` section."""
        lab = self.folder
        rows = [
            f"      once: 'echo \"$RELEASE\" >{lab}/once'",
            f"      reboot: touch {lab}/reboot",
            f"      up_within: {up_within}",
        ]
        if install:
            cp = f'cp "$IMAGE" "{lab}/boot/$RELEASE"; [ -z "$MODULES" ] || tar -xzf "$MODULES" -C {lab}/root'
            rows.append(f"      install: '{cp}'")
        if power:
            rows.append(f"      power_cycle: 'echo \"$HOST $ADDRESS\" >{lab}/power'")
        return "\n".join([self.server.inventory.rstrip(), "    kernel:", *rows, ""])

    def boot(self, release: str) -> None:
        """Start with this kernel."""
        self.starts.append(release)
        (self.folder / "release").write_text(f"{release}\n")
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        note = b""
        if (build_id := self.build_ids.get(release)) is not None:
            value = bytes.fromhex(build_id)
            note = struct.pack("<III", 4, len(value), 3) + b"GNU\0" + value
        (self.folder / "notes").write_bytes(note)
        self.server.start()

    def run(self) -> None:
        """Be its firmware: reboot when that is asked for, into what was chosen for once, else the usual kernel."""
        reboot, once, power = (self.folder / name for name in ("reboot", "once", "power"))
        while not self.ended.wait(0.01):
            if power.exists() and self.server.process is None:
                power.unlink()
                self.boot(USUAL)
            if not reboot.exists():
                continue
            reboot.unlink()
            if self.stutters:
                self.server.kill()
                self.server.start()
                time.sleep(3)  # long enough to be reached
            self.server.power_off()
            chosen = once.read_text().strip() if once.exists() else USUAL
            once.unlink(missing_ok=True)
            if chosen in self.dead:
                while not power.exists():
                    if self.ended.wait(0.01):
                        return
                power.unlink()
            self.boot(USUAL if chosen in self.dead | self.broken else chosen)


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Run one whose files are in ``folder``."""
    lab = folder / "lab"
    for name in ("bin", "boot", "root"):
        (lab / name).mkdir(parents=True)
    with serve(folder / "server") as server:
        for name, text in (("uname", _UNAME), ("cat", _CAT)):
            (lab / "bin" / name).write_text("#!/bin/sh\n" + text.replace("{lab}", str(lab)) + "\n")
            (lab / "bin" / name).chmod(0o755)
        forced = (server.folder / "forced").read_text()
        (server.folder / "forced").write_text(forced.replace("\nexec ", f'\nPATH="{lab}/bin:$PATH"\nexec ', 1))
        made = Machine(lab, server)
        server.power_off()
        made.boot(USUAL)
        firmware = threading.Thread(target=made.run, name="firmware")
        firmware.start()
        try:
            yield made
        finally:
            made.ended.set()
            firmware.join()


def image(there: Machine, release: str, build_id: str | None = "aabbccdd") -> Mapping[str, str]:
    """Return the setting that asks for a kernel of this release and build, which the machine can boot."""
    path = there.folder / f"vmlinux-{release}-{build_id}"
    if not path.exists():
        kernel_image(path, release, build_id)
    if build_id is not None:
        there.build_ids[release] = build_id
    return {"host.kernel": str(path)}


def use(
    there: Machine,
    tmp_path: Path,
    work: Callable[[BisectHost], Awaitable[None]],
    section: str | None = None,
    **more: bool,
) -> list[HostOpened]:
    """Let ``work`` have the machine; return which hosts were opened."""
    (tmp_path / "hosts.yaml").write_text(there.section() if section is None else section)
    environment = {**os.environ, "SVSM_HARNESS_HOSTS": str(tmp_path / "hosts.yaml")}
    opened: list[HostOpened] = []
    said: list[str] = []
    run = Run(tmp_path / "results" / "run")
    run.folder.mkdir(parents=True, exist_ok=True)

    async def scenario() -> None:
        switching = more.get("switching", True)
        async with open_bisect_host(
            "loopback", environment, run, opened.append, said.append, {}, switching=switching
        ) as host:
            await work(host)

    asyncio.run(scenario())
    return opened
