"""The image of a guest that is a host: what is in it, and that it is built once."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.boot.site import Site
from harness.errors import HostError
from harness.guest.host_image import QEMU_PATH, build_host_image, host_modules
from harness.scenario.model import Guest


def test_the_vendor_decides_the_module() -> None:
    assert [wanted.name for wanted in host_modules("AuthenticAMD")] == ["kvm", "kvm_amd"]
    assert [wanted.name for wanted in host_modules("GenuineIntel")] == ["kvm", "kvm_intel"]


@pytest.mark.qemu
def test_qemu_its_libraries_and_its_firmware_come_behind_the_guest(site: Site, tmp_path: Path) -> None:
    base = asyncio.run(site.image(Guest()))
    qemu = Path(site.capabilities.binary)
    built = build_host_image(base, qemu, tmp_path)
    content = built.read_bytes()
    assert content.startswith(base.initramfs.read_bytes())
    behind = tmp_path / "behind"
    behind.mkdir()
    cpio = shutil.which("busybox")
    assert cpio is not None  # the guest's image needs it
    subprocess.run(
        [cpio, "cpio", "-idm"],
        cwd=behind,
        input=content[base.initramfs.stat().st_size :],
        check=True,
        capture_output=True,
    )
    assert (behind / QEMU_PATH.lstrip("/")).read_bytes() == qemu.read_bytes()
    assert (behind / "usr/share/qemu/bios-256k.bin").is_file()
    assert any(path.name.startswith("libc.so") for path in behind.rglob("*"))
    before = built.stat().st_mtime_ns
    assert build_host_image(base, qemu, tmp_path) == built
    assert built.stat().st_mtime_ns == before


@pytest.mark.qemu
def test_a_qemu_without_firmware_is_told(site: Site, tmp_path: Path) -> None:
    base = asyncio.run(site.image(Guest()))
    fake = tmp_path / "qemu"
    fake.write_text("#!/bin/sh\necho /nowhere\n")
    fake.chmod(0o755)
    with pytest.raises(HostError, match=r"has no bios-256k\.bin in /nowhere; install seabios"):
        build_host_image(base, fake, tmp_path)
