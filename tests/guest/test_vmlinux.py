"""A kernel is unpacked as it would unpack itself, and only one that QEMU can start is given to it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import lz4.block
import pytest

from harness.errors import InputError
from harness.guest.kernel import GuestKernel
from harness.guest.vmlinux import has_pvh_entry, unpack_bzimage, unpacked_kernel

XEN_PHYS32_ENTRY = 18


def note(kind: int, name: bytes = b"Xen\0", value: bytes = b"\0\0\0\1") -> bytes:
    return struct.pack("<III", len(name), len(value), kind) + name.ljust(-(-len(name) // 4) * 4, b"\0") + value


def elf(*notes: bytes) -> bytes:
    content = b"".join(notes)
    header = bytearray(64)
    header[:4] = b"\x7fELF"
    struct.pack_into("<Q", header, 32, 64)  # e_phoff
    struct.pack_into("<HH", header, 54, 56, 2)  # e_phentsize, e_phnum
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 64, 64, 4096)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 64 + 2 * 56, 0, 0, len(content), len(content), 4)
    return bytes(header) + load + segment + content + b"Linux version 6.1.0-test (gcc) #1\n"


STARTABLE = elf(note(6, value=b"lin\0"), note(4, b"GNU\0"), note(XEN_PHYS32_ENTRY))


def size_behind(content: bytes) -> Callable[[bytes], bytes]:
    return lambda packed: packed + struct.pack("<I", len(content))


def bzimage(payload: bytes, setup_sects: int = 4, version: int = 0x20F) -> bytes:
    image = bytearray((setup_sects + 1) * 512 + 32)
    image[0x1F1] = setup_sects
    struct.pack_into("<H", image, 0x206, version)
    struct.pack_into("<II", image, 0x248, 32, len(payload))
    return bytes(image) + payload + b"behind the payload"


def zstd(content: bytes) -> bytes:
    if shutil.which("zstd") is None:
        pytest.skip("the tool zstd is not installed")
    return subprocess.run(["zstd", "-cq"], input=content, capture_output=True, check=True).stdout


def lz4_legacy(content: bytes) -> bytes:
    halves = content[:100], content[100:]
    blocks = [lz4.block.compress(half, store_size=False) for half in halves]
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


@pytest.mark.parametrize(
    "pack",
    [
        lambda content: content,
        gzip.compress,
        lambda content: size_behind(content)(lzma.compress(content)),
        lambda content: size_behind(content)(lzma.compress(content, lzma.FORMAT_ALONE)),
        lambda content: size_behind(content)(bz2.compress(content)),
        lambda content: size_behind(content)(zstd(content)),
        lambda content: size_behind(content)(lz4_legacy(content)),
    ],
    ids=["plain", "gzip", "xz", "lzma", "bzip2", "zstd", "lz4"],
)
def test_each_compression_gives_the_kernel_back(pack: Callable[[bytes], bytes]) -> None:
    assert unpack_bzimage(bzimage(pack(STARTABLE))) == STARTABLE


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (bzimage(b"\x89LZOrest"), "89 4c 5a 4f, is compressed in an unknown way"),
        (bzimage(gzip.compress(STARTABLE), version=0x207), "boot protocol 2.07"),
        (bzimage(gzip.compress(b"MZ no kernel")), "no ELF file"),
        (bzimage(b"\x1f\x8b\x08" + b"\xff" * 40), "damaged"),
        (bzimage(b"\xfd7zXZ\0" + b"\xff" * 40), "damaged"),
        (bzimage(b"\x02\x21L\x18\x10\0\0\0" + b"\xff" * 40), "damaged"),
    ],
)
def test_what_cannot_be_unpacked_says_why(image: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unpack_bzimage(image)


def test_the_count_of_setup_sectors_is_four_when_it_is_zero() -> None:
    image = bytearray(bzimage(gzip.compress(STARTABLE)))
    image[0x1F1] = 0
    assert unpack_bzimage(bytes(image)) == STARTABLE


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ((note(XEN_PHYS32_ENTRY),), True),
        ((note(4, b"GNU\0", b"12345678"), note(XEN_PHYS32_ENTRY)), True),
        ((note(XEN_PHYS32_ENTRY, b"GNU\0"),), False),
        ((note(6),), False),
        ((), False),
    ],
)
def test_the_entry_is_found_by_xens_note(notes: tuple[bytes, ...], expected: bool) -> None:
    assert has_pvh_entry(elf(*notes)) is expected


def kernel(path: Path, content: bytes) -> GuestKernel:
    path.write_bytes(content)
    return GuestKernel(path, None, "6.1.0-test", "a test's", hashlib.sha256(content).hexdigest())


def test_a_kernel_is_unpacked_once_and_says_from_what(tmp_path: Path) -> None:
    packed = kernel(tmp_path / "vmlinuz", bzimage(gzip.compress(STARTABLE)))
    unpacked = unpacked_kernel(packed, tmp_path / "cache")
    assert unpacked.image.read_bytes() == STARTABLE
    assert unpacked.sha256 == hashlib.sha256(STARTABLE).hexdigest()
    assert unpacked.origin == f"a test's, unpacked from sha256:{packed.sha256}"
    stamp = unpacked.image.stat().st_mtime_ns
    assert unpacked_kernel(packed, tmp_path / "cache").image.stat().st_mtime_ns == stamp


def test_a_vmlinux_is_taken_as_it_is(tmp_path: Path) -> None:
    plain = kernel(tmp_path / "vmlinux", STARTABLE)
    assert unpacked_kernel(plain, tmp_path / "cache") == plain


@pytest.mark.parametrize("content", [elf(), bzimage(gzip.compress(elf()))], ids=["vmlinux", "bzImage"])
def test_a_kernel_without_the_entry_is_refused_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"no PVH entry.*leave guest\.unpack out"):
        unpacked_kernel(kernel(tmp_path / "vmlinuz", content), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.vmlinux"))
