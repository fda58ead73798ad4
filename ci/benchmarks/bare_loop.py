"""Boot without the harness: the command line that the harness would use, started and knocked at by a shell script."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.process import BenchError, finish, running
from harness.boot.load import Load, prepare_load
from harness.boot.plan import plan_boots
from harness.boot.run import PlannedBoot, plan_command
from harness.boot.site import Site, open_site
from harness.catalogue import load_files, parse_set, select_variants
from harness.guest.secrets import BootSecrets, public_blob
from harness.qemu.command import Wiring, streams_of

__all__ = ["BareBoot", "BareTimes", "Prepared", "bare_argv", "bare_runs", "prepare_bare"]

_SCRIPT = Path(__file__).parent / "bare_loop.sh"
_ANY_PORT = "hostfwd=tcp:127.0.0.1:0-:22"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Hold what the harness found out and planned for one variant of the bench."""

    site: Site
    plan: PlannedBoot


@dataclass(frozen=True, slots=True)
class BareTimes:
    """Hold the seconds from the start of QEMU to the SSH login, and to the answer of a command."""

    login_s: float
    answer_s: float


def prepare_bare(scenario: Path) -> Prepared:
    """Plan the first variant of ``scenario`` as the harness does.

    :raise BenchError: if it cannot run here.
    :raise HarnessError: as the harness.
    """

    async def prepare() -> Prepared:
        site = await open_site(os.environ)
        variants = select_variants(load_files([scenario], parse_set(None), os.environ), [])
        plan = (await plan_boots(variants[:1], site, None))[0]
        if not isinstance(plan, PlannedBoot):
            raise BenchError(plan.reason)
        return Prepared(site, plan)

    return asyncio.run(prepare())


def bare_argv(prepared: Prepared, load: Load, initramfs: Path, port: int) -> tuple[str, ...]:
    """Return the harness's command line, less what ties it to the harness.

    It starts running (no ``-S``), has no QMP monitor, writes its consoles to files of the current folder, and forwards
    ``port`` where the harness asks QEMU which port it chose. Everything that the guest sees is the same.
    """
    setting = prepared.plan.setting
    streams = streams_of(setting.machine, setting.payload)
    wiring = Wiring({stream: f"file,path={stream}.log" for stream in streams}, "null,mux=off")
    command = plan_command(prepared.plan, prepared.site, load, wiring, None)
    words: list[str] = []
    for option in command.options:
        if option[0] in ("-S", "-mon") or "id=qmp" in option[-1]:
            continue
        if option[0] == "-initrd":
            option = ("-initrd", str(initramfs))
        words += [word.replace(_ANY_PORT, f"hostfwd=tcp:127.0.0.1:{port}-:22") for word in option]
    return (command.binary, *words)


@dataclass(frozen=True, slots=True)
class BareBoot:
    """Be one bare boot, everything made but not started: its script's words and its folder."""

    argv: tuple[str, ...]
    folder: Path


@contextmanager
def _bare_boot(prepared: Prepared) -> Iterator[BareBoot]:
    # Fresh keys for each boot, as in the harness; made before the clock runs, as there.
    load = asyncio.run(prepare_load(prepared.plan.setting, prepared.site, prepared.plan.accel))
    if load.initramfs is None or load.secrets is None:
        raise BenchError("the bench's scenario boots no Linux guest")
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        folder = Path(name)
        initramfs = folder / "initramfs.cpio"
        initramfs.write_bytes(load.initramfs.read_bytes() + load.overlay)
        port = _free_port()
        _write_keys(folder, load.secrets, port)
        qemu = bare_argv(prepared, load, initramfs, port)
        yield BareBoot(("bash", str(_SCRIPT), str(port), "key", "known_hosts", *qemu), folder)


def _write_keys(folder: Path, secrets: BootSecrets, port: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(secrets.user_private).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    (folder / "key").touch(0o600)
    (folder / "key").write_bytes(private)
    blob = base64.b64encode(public_blob(secrets.host_public)).decode()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} ssh-ed25519 {blob}\n")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bare_runs(prepared: Prepared, lanes: int = 1) -> tuple[float, Sequence[BareTimes]]:
    """Boot ``lanes`` bare guests at the same time; return the seconds that all took together, and each one's times.

    :raise BenchError: if one does not answer.
    """
    with ExitStack() as stack:
        boots = [stack.enter_context(_bare_boot(prepared)) for _ in range(lanes)]
        begin_s = time.monotonic()
        started = [stack.enter_context(running(boot.argv, boot.folder)) for boot in boots]
        ended = [finish(process, "the bare loop", begin_s) for process in started]
    times = [BareTimes(*map(float, one.out.split())) for one in ended]
    return max(one.took_s for one in ended), times
