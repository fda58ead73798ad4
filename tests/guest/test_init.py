"""The image boots, answers, obeys its buttons, and breaks on demand: real guests under emulation."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import HostError
from harness.guest.initramfs import GuestImage, build_image, find_tools
from harness.guest.kernel import find_kernel
from harness.guest.kernel_package import fetch_cloud_kernel
from harness.guest.parameters import kernel_parameters
from harness.guest.secrets import BootSecrets, initramfs_memfd, make_secrets, overlay_cpio
from harness.guest.ssh import GuestShell, connect
from harness.guest.tsc import measure_tsc_khz
from harness.host.cache import cache_dir

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed"),
]
INIT = Path(__file__).parents[2] / "guest_payloads/linux/init"
BOOT_S = 120.0


@pytest.fixture(scope="module")
def image() -> GuestImage:
    cache = cache_dir(os.environ)
    try:
        kernel = find_kernel(None, None, lambda: fetch_cloud_kernel(cache, Path("/etc/os-release").read_text()))
        return build_image(kernel, INIT, find_tools(os.environ["PATH"]), cache)
    except HostError as error:
        pytest.skip(str(error))


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    console: Path
    qmp: socket.socket
    port: int
    secrets: BootSecrets

    def execute(self, command: str, **arguments: object) -> None:
        """Send a QMP command; answers and events pile up in the socket, which is enough here."""
        self.qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())

    def key(self) -> None:
        self.execute("send-key", keys=[{"type": "qcode", "data": "a"}], **{"hold-time": 1})

    async def ended(self) -> str:
        """Wait for the end of QEMU and return the console."""
        await asyncio.to_thread(self.process.wait, BOOT_S)
        return self.console.read_text(errors="replace")


@contextmanager
def booted(
    image: GuestImage,
    folder: Path,
    machine: str = "q35",
    vcpus: int = 1,
    files: dict[str, bytes] | None = None,
    replacement: bytes | None = None,
) -> Iterator[Running]:
    secrets = make_secrets()
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    console = folder / "console.log"
    parameters = kernel_parameters()
    if machine == "microvm":
        parameters += f" tsc_early_khz={measure_tsc_khz()}"
    card = "virtio-net-device" if machine == "microvm" else "virtio-net-pci"
    with initramfs_memfd(image.initramfs, overlay_cpio(secrets, files, replacement)) as initrd:
        # fmt: off
        argv = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            # Without cx16: QEMU 7.2's emulation of cmpxchg16b breaks one boot in four.
            "-machine", machine, "-accel", "tcg", "-cpu", "max,-cx16", "-smp", str(vcpus), "-m", "512M",
            "-kernel", str(image.kernel.image), "-initrd", f"/proc/self/fd/{initrd}", "-append", parameters,
            "-serial", f"file:{console}",
            "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control",
            "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", f"{card},netdev=net",
        ]
        # fmt: on
        process = subprocess.Popen(argv, pass_fds=[initrd, theirs.fileno()])
    theirs.close()
    running = Running(process, console, ours, port, secrets)
    try:
        running.execute("qmp_capabilities")
        yield running
    finally:
        process.kill()
        process.wait()
        ours.close()


async def keyboard_counts(shell: GuestShell, deadline: Deadline) -> list[int]:
    done = await shell.run("grep i8042 /proc/interrupts", deadline)
    row = next(line.split() for line in done.out.decode().splitlines() if line.split()[0] == "1:")
    return [int(word) for word in row[1:3]]


def test_a_q35_guest_answers_counts_keys_and_powers_off(image: GuestImage, tmp_path: Path) -> None:
    async def scenario(guest: Running) -> str:
        deadline = Deadline.after(BOOT_S)
        async with connect("127.0.0.1", guest.port, guest.secrets, deadline) as shell:
            assert (await shell.run("/opt/hello", deadline)).out == b"hello\n"
            assert (await shell.run("uname -r", deadline)).out.decode().strip() == image.kernel.release
            assert (await shell.run("exit 3", deadline)).status == 3
            assert (await shell.run("kill -9 $$", deadline)).status is None
            content = bytes(range(256)) * 1000
            await shell.upload(content, "/tmp/a b'c", deadline, 0o700)
            assert await shell.download("/tmp/a b'c", deadline) == content
            assert (await shell.run('stat -c %a "/tmp/a b\'c"', deadline)).out == b"700\n"

            # Both CPUs go away and come back; the second one only, for x86 cannot take the first away.
            online = "/sys/devices/system/cpu/cpu1/online"
            done = await shell.run(f"echo 0 >{online} && nproc && echo 1 >{online} && nproc", deadline)
            assert done.out == b"1\n2\n", done

            # Two interrupts a key: press and release. Paced by the count itself, for the controller holds few bytes.
            before = await keyboard_counts(shell, deadline)
            for pressed in range(1, 6):
                guest.key()
                while sum(await keyboard_counts(shell, deadline)) < sum(before) + 2 * pressed:
                    assert not deadline.expired
            assert sum(await keyboard_counts(shell, deadline)) == sum(before) + 10

            guest.execute("inject-nmi")
            while (counts := (await shell.run("grep NMI: /proc/interrupts", deadline)).out.split()[1:3]) != [b"1"] * 2:
                assert counts in ([b"0", b"0"], [b"0", b"1"], [b"1", b"0"])

            async with shell.sampler() as sampler:
                path = "/proc/sys/kernel/osrelease"
                assert (await sampler.read([path], deadline))[path].decode().strip() == image.kernel.release

            # dropbear loses the session when a channel is closed under a running command; we must never do that.
            for _ in range(20):
                async with shell.sampler() as sampler:
                    await sampler.read([path], deadline)
                assert (await shell.run("cat", deadline)).status == 0
                assert (await shell.run("sleep 1000", Deadline.after(0.02))).timed_out

            zombies = await shell.run("(sleep 0 &) ; true; ps -o stat,comm | grep -c '^Z'", deadline)
            assert zombies.out == b"0\n"
            guest.execute("system_powerdown")
            return await guest.ended()

    with booted(image, tmp_path, vcpus=2, files={"/opt/hello": b"#!/bin/sh\necho hello\n"}) as guest:
        console = asyncio.run(scenario(guest))
    places = [console.find(f"svsm-harness: {name}") for name in ("init", "network", "ready", "powerdown")]
    assert places == sorted(places)
    assert places[0] > 0
    assert "svsm-harness: error" not in console
    assert "reboot: Power down" in console


def test_a_microvm_guest_answers_and_powers_off(image: GuestImage, tmp_path: Path) -> None:
    async def scenario(guest: Running) -> str:
        deadline = Deadline.after(BOOT_S)
        async with connect("127.0.0.1", guest.port, guest.secrets, deadline) as shell:
            assert (await shell.run("nproc", deadline)).out == b"1\n"
            guest.execute("system_powerdown")
            return await guest.ended()

    with booted(image, tmp_path, machine="microvm") as guest:
        assert "reboot: Power down" in asyncio.run(scenario(guest))


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        (b"echo c >/proc/sysrq-trigger\n", "Kernel panic - not syncing: sysrq triggered crash"),
        (b"exit 7\n", "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000700"),
        (b"reboot -f\n", "reboot: Restarting system"),
    ],
    ids=["panic", "init exits", "reboot"],
)
def test_a_guest_breaks_on_demand(image: GuestImage, tmp_path: Path, replacement: bytes, expected: str) -> None:
    with booted(image, tmp_path, replacement=replacement) as guest:
        console = asyncio.run(guest.ended())
    assert expected in console
    assert "svsm-harness: init" in console
    assert "svsm-harness: ready" not in console
