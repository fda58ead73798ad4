"""Take the kernel proper out of a bzImage, so that the guest need not decompress it.

QEMU starts an ELF kernel by its PVH entry (Linux arch/x86/platform/pvh/head.S, ``CONFIG_PVH``). Under emulation that
saves most of a distribution kernel's start: Debian's 6.1 reaches its first message after 0.2 s in place of 3 s. What it
leaves out is real all the same, the decompressor and with it KASLR, so it is done only where a scenario asks.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import lz4.block

from harness.errors import HostError, InputError
from harness.guest.kernel import ELF_MAGIC, GuestKernel
from harness.guest.modules import decompress
from harness.host.cache import keep_whole

__all__ = ["elf_notes", "has_pvh_entry", "parse_notes", "unpack_bzimage", "unpacked_kernel"]

# Linux Documentation/arch/x86/boot.rst: setup_sects, payload_offset and payload_length (protocol 2.08).
_SETUP_SECTS_AT, _VERSION_AT, _PAYLOAD_AT = 0x1F1, 0x206, 0x248
_PAYLOAD_SINCE = 0x208
_DEFAULT_SETUP_SECTS, _SECTOR_BYTES = 4, 512
# Elf64_Phdr; PT_NOTE; Xen public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY.
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_PT_NOTE, _PHYS32_ENTRY = 4, 18
_LZ4, _LZ4_BLOCK_BYTES = b"\x02\x21\x4c\x18", 8 << 20


def _zstd(payload: bytes) -> bytes:
    # The four bytes behind it are the kernel's own: the size of what comes out (scripts/Makefile.lib, size_append).
    return decompress("the kernel.zst", payload[:-4])


def _lz4(payload: bytes) -> bytes:
    # The legacy frame (lz4_Frame_format.md): each block, of 8 MiB but the last, behind its compressed size. The size
    # that the kernel appends comes where the next block's would be.
    kernel, at, end = bytearray(), len(_LZ4), len(payload) - 4
    while at < end:
        (size_bytes,) = struct.unpack_from("<I", payload, at)
        block = payload[at + 4 : at + 4 + size_bytes]
        kernel += lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK_BYTES)
        at += 4 + size_bytes
    return bytes(kernel)


# By the first bytes of the payload, as in Linux lib/decompress.c.
_FORMATS: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": lambda payload: zlib.decompressobj(wbits=31).decompress(payload),
    b"\xfd7zXZ": lambda payload: lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload),
    b"\x5d\x00\x00": lambda payload: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(payload),
    b"BZh": lambda payload: bz2.BZ2Decompressor().decompress(payload),
    b"\x28\xb5\x2f\xfd": _zstd,
    _LZ4: _lz4,
    ELF_MAGIC: lambda payload: payload,
}


def unpack_bzimage(image: bytes) -> bytes:
    """Return the ELF file (vmlinux) that a bzImage decompresses when it starts.

    :raise ValueError: with the reason, when it holds none that can be unpacked here.
    :raise HostError: when it is compressed with zstd, and the tool is missing.
    """
    (version,) = struct.unpack_from("<H", image, _VERSION_AT)
    if version < _PAYLOAD_SINCE:
        raise ValueError(f"its boot protocol {version >> 8}.{version & 0xFF:02d} does not say where its payload is")
    offset_bytes, length_bytes = struct.unpack_from("<II", image, _PAYLOAD_AT)
    start = ((image[_SETUP_SECTS_AT] or _DEFAULT_SETUP_SECTS) + 1) * _SECTOR_BYTES + offset_bytes
    payload = image[start : start + length_bytes]
    unpack = next((unpack for magic, unpack in _FORMATS.items() if payload.startswith(magic)), None)
    if unpack is None:
        raise ValueError(f"its payload, which begins with {payload[:4].hex(' ')}, is compressed in an unknown way")
    try:
        kernel = unpack(payload)
    except (zlib.error, lzma.LZMAError, lz4.block.LZ4BlockError, struct.error, OSError, EOFError) as error:
        raise ValueError(f"its payload is damaged: {error}") from error
    if not kernel.startswith(ELF_MAGIC):
        raise ValueError("its payload is no ELF file")
    return kernel


def has_pvh_entry(elf: bytes) -> bool:
    """Tell whether QEMU can start the ELF file: a note of Xen's names its 32-bit entry."""
    return any(name == b"Xen\0" and kind == _PHYS32_ENTRY for name, kind, _ in elf_notes(elf))


def unpacked_kernel(kernel: GuestKernel, cache_dir: Path) -> GuestKernel:
    """Return the kernel with its unpacked image; unpacked only when ``cache_dir`` has none. An ELF file is itself.

    :raise InputError: when it cannot be unpacked, or has no PVH entry.
    :raise HostError: when it cannot be read or kept, or a tool is missing.
    """
    try:
        image = kernel.image.read_bytes()
        if image.startswith(ELF_MAGIC):
            _require_pvh(image)
            return kernel
        kept = cache_dir / "kernels" / f"{kernel.sha256}.vmlinux"
        if not kept.exists():
            elf = unpack_bzimage(image)
            _require_pvh(elf)
            keep_whole(kept, elf)
        with kept.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except ValueError as error:
        raise InputError(f"guest.unpack: {kernel.image}: {error}; leave guest.unpack out") from error
    except OSError as error:
        raise HostError(f"{error.filename or kernel.image}: {error.strerror}") from error
    return replace(kernel, image=kept, sha256=digest, origin=f"{kernel.origin}, unpacked from sha256:{kernel.sha256}")


def _require_pvh(elf: bytes) -> None:
    if not has_pvh_entry(elf):
        raise ValueError("it has no PVH entry, so QEMU cannot start it unpacked (CONFIG_PVH is off)")


def elf_notes(elf: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield the notes of an ELF file: owner with its zero byte, kind, value.

    :raise struct.error: when its tables lead beyond its end.
    """
    (table_at,) = struct.unpack_from("<Q", elf, 32)
    size_bytes, count = struct.unpack_from("<HH", elf, 54)
    for index in range(count):
        kind, _, offset, _, _, file_bytes, _, align = _PROGRAM_HEADER.unpack_from(elf, table_at + index * size_bytes)
        if kind == _PT_NOTE:
            # Elf64_Nhdr; a segment with an alignment of 8 pads to it, all others to 4.
            yield from parse_notes(elf[offset : offset + file_bytes], 8 if align == 8 else 4)


def parse_notes(block: bytes, pad: int = 4) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield the notes of a segment, or of ``/sys/kernel/notes``; one that is cut short ends them."""
    at = 0
    while at + 12 <= len(block):
        name_bytes, value_bytes, kind = struct.unpack_from("<III", block, at)
        value_at = at + 12 + -(-name_bytes // pad) * pad
        if value_at + value_bytes > len(block):
            return
        yield block[at + 12 : at + 12 + name_bytes], kind, block[value_at : value_at + value_bytes]
        at = value_at + -(-value_bytes // pad) * pad
