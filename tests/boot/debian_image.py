"""Build a Debian image that boots by UEFI, from the distribution's packages: an ESP with systemd-boot, and a root.

Nothing is mounted: debootstrap makes the root in a folder, mke2fs -d turns it into a file system, mtools fill the ESP,
and the partition table is written here. Needs root (debootstrap makes devices and runs chroot).
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

__all__ = ["NEEDED", "build_debian_image", "missing_tools"]

NEEDED = ("debootstrap", "mke2fs", "mformat", "mcopy", "mmd")
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_PACKAGES = (
    "systemd-sysv", "udev", "linux-image-cloud-amd64", "systemd-boot-efi", "openssh-server", "cloud-init", "ifupdown",
    "iproute2", "isc-dhcp-client",
    "python3-cffi-backend",  # python3-cryptography wants a name that only it provides, which debootstrap cannot see
)  # fmt: skip
_SECTOR = 512
_FIRST, _ESP_MIB, _ROOT_MIB = 2048, 80, 1100
# UEFI specification 2.10, 5.3; the types of an EFI system partition and of Linux data.
_ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_OPTIONS = "root=/dev/sda2 ro console=ttyS0"


def missing_tools() -> list[str]:
    return [tool for tool in NEEDED if shutil.which(tool, path=_PATH) is None]


def build_debian_image(folder: Path) -> Path:
    """Return ``disk.raw`` below ``folder``, which is empty or has it already."""
    image = folder / "disk.raw"
    if image.exists():
        return image
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "root"
    mirror, suite = _mirror(), _suite()
    _run("debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", suite, str(root), mirror)
    shutil.rmtree(root / "var/cache/apt")
    (root / "etc/fstab").write_text("/dev/sda2 / ext4 defaults 0 1\n")
    # Only NoCloud: cloud-init would ask every cloud there is before it gives up on them.
    (root / "etc/cloud/cloud.cfg.d/99-seed.cfg").write_text("datasource_list: [NoCloud, None]\n")
    esp, system = folder / "esp", folder / "system"
    _esp(root, esp)
    system.touch()
    os.truncate(system, _ROOT_MIB << 20)
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(system))
    whole = folder / "disk.part"
    _join(whole, (("ESP", _ESP, esp), ("root", _LINUX, system)))
    for part in (esp, system):
        part.unlink()
    shutil.rmtree(root)
    whole.rename(image)
    return image


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": _PATH})
    assert done.returncode == 0, f"{argv[0]}: {(done.stdout + done.stderr)[-2000:]}"


# Where this machine itself gets its packages from.
def _mirror() -> str:
    texts = [path.read_text() for path in Path("/etc/apt").rglob("*") if path.suffix in (".list", ".sources")]
    found = re.findall(r"^(?:deb |URIs: ).*?(\S+://\S+/debian/?)(?=\s|$)", "\n".join(texts), re.MULTILINE)
    assert found, "no package archive of Debian is in /etc/apt"
    return str(found[0])


def _suite() -> str:
    (line,) = (
        line for line in Path("/etc/os-release").read_text().splitlines() if line.startswith("VERSION_CODENAME=")
    )
    return line.partition("=")[2]


def _esp(root: Path, esp: Path) -> None:
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    (initrd,) = (root / "boot").glob("initrd.img-*")
    entry = esp.with_name("entry.conf")
    entry.write_text(f"title Debian\nlinux /vmlinuz\ninitrd /initrd\noptions {_OPTIONS}\n")
    loader = root / "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
    esp.touch()
    os.truncate(esp, _ESP_MIB << 20)
    _run("mformat", "-i", str(esp), "-F", "::")
    for path in ("EFI", "EFI/BOOT", "loader", "loader/entries"):
        _run("mmd", "-i", str(esp), f"::/{path}")
    files = {"EFI/BOOT/BOOTX64.EFI": loader, "loader/entries/debian.conf": entry, "vmlinuz": kernel, "initrd": initrd}
    for to, source in files.items():
        _run("mcopy", "-i", str(esp), str(source), f"::/{to}")
    entry.unlink()


# A protective MBR, the partitions, and the table at both ends (UEFI specification 2.10, 5.2.3 and 5.3).
def _join(whole: Path, parts: tuple[tuple[str, uuid.UUID, Path], ...]) -> None:
    at, entries, places = _FIRST, b"", []
    for name, kind, path in parts:
        last = at + path.stat().st_size // _SECTOR - 1
        head = kind.bytes_le + uuid.uuid4().bytes_le + struct.pack("<QQQ", at, last, 0)
        entries += head + name.encode("utf-16-le").ljust(72, b"\0")
        places.append((at, path))
        at = last + 1
    entries = entries.ljust(128 * 128, b"\0")
    end = at + 33
    disk = uuid.uuid4().bytes_le

    def header(mine: int, other: int, table: int) -> bytes:
        def pack(crc: int) -> bytes:
            return struct.pack(
                "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, mine, other, 34, at - 1, disk, table, 128, 128,
                zlib.crc32(entries),
            )  # fmt: skip

        return pack(zlib.crc32(pack(0))).ljust(_SECTOR, b"\0")

    mbr = struct.pack("<446xB3xB3xII48xH", 0, 0xEE, 1, end - 1, 0xAA55)
    with whole.open("wb") as stream:
        stream.write(mbr + header(1, end - 1, 2) + entries)
        for sector, path in places:
            stream.seek(sector * _SECTOR)
            with path.open("rb") as part:
                while piece := part.read(1 << 20):
                    stream.seek(len(piece), os.SEEK_CUR) if not any(piece) else stream.write(piece)
        stream.seek(at * _SECTOR)
        stream.write(entries + header(end - 1, 1, at))
