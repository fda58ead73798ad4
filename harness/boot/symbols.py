"""Name the code at an address: by the kernel's System.map, or by the symbols of a payload's ELF file."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Symbols", "find_symbols", "parse_elf", "parse_system_map"]

# The handler of vector 0, which KASLR moves with the rest (arch/x86/include/asm/idtentry.h); before v5.8 its entry had
# no asm_exc_.
_ANCHORS = ("asm_exc_divide_error", "divide_error")
# Further away than this from its symbol an address belongs to something else: a module, or nothing.
_FAR = 1 << 20
_SHT_SYMTAB, _STT_FUNC, _STT_NOTYPE = 2, 2, 0


@dataclass(frozen=True, slots=True)
class Symbols:
    """Hold the code symbols of one image, in the order of their addresses."""

    addresses: tuple[int, ...]
    names: tuple[str, ...]

    def place(self, address: int, offset: int = 0) -> str:
        """Return ``name+0x1f`` of the code at ``address``, loaded ``offset`` above its link address; empty: none."""
        index = bisect_right(self.addresses, address - offset) - 1
        if index < 0 or (distance := address - offset - self.addresses[index]) > _FAR:
            return ""
        return f"{self.names[index]}+{distance:#x}"

    def offset_of(self, handler: int) -> int | None:
        """Return by how much a kernel was moved whose divide error handler is at ``handler``; None: cannot be told."""
        for name in _ANCHORS:
            if name in self.names:
                return handler - self.addresses[self.names.index(name)]
        return None


def _sorted(found: Iterator[tuple[int, str]]) -> Symbols | None:
    rows = sorted(found)
    if not rows:
        return None
    return Symbols(tuple(address for address, _ in rows), tuple(name for _, name in rows))


def parse_system_map(text: str) -> Symbols | None:
    """Read the code symbols of a System.map; None if it has none (Debian ships one line that names another package)."""

    def rows() -> Iterator[tuple[int, str]]:
        for line in text.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in "tTwW":
                yield int(words[0], 16), words[2]

    return _sorted(rows())


def parse_elf(data: bytes) -> Symbols | None:
    """Read the code symbols of an ELF file for x86 (32 or 64 bits); None if it is none, or was stripped."""
    if data[:4] != b"\x7fELF" or data[5:6] != b"\x01":
        return None
    wide = data[4:5] == b"\x02"
    try:
        return _sorted(_elf_rows(data, wide))
    except (struct.error, IndexError):
        return None  # cut or damaged


def _elf_rows(data: bytes, wide: bool) -> Iterator[tuple[int, str]]:
    # ELF-64 and ELF-32 of the System V ABI: e_shoff, e_shentsize and e_shnum, section headers, symbols.
    at, size, count = (
        (struct.unpack_from("<Q", data, 0x28)[0], *struct.unpack_from("<HH", data, 0x3A))
        if wide
        else (struct.unpack_from("<I", data, 0x20)[0], *struct.unpack_from("<HH", data, 0x2E))
    )
    form = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    sections: Sequence[tuple[int, ...]] = [struct.unpack_from(form, data, at + size * n) for n in range(count)]
    for section in sections:
        if section[1] != _SHT_SYMTAB:
            continue
        names_at, begin, length, entry = sections[section[6]][4], section[4], section[5], section[9]
        for where in range(begin, begin + length, entry):
            if wide:
                name, info, _, index, value = struct.unpack_from("<IBBHQ", data, where)
            else:
                name, value, _, info, _, index = struct.unpack_from("<IIIBBH", data, where)
            if index and name and info & 15 in (_STT_FUNC, _STT_NOTYPE):
                start = names_at + name
                yield value, data[start : data.index(b"\0", start)].decode(errors="replace")


def find_symbols(image: Path, release: str) -> Symbols | None:
    """Find the symbols of what was booted: of the ELF itself, or of the System.map of the kernel ``release``.

    None where there are none: the kernel's map is looked for beside its image, and where its build left it.
    """
    try:
        own = parse_elf(image.read_bytes())
    except (OSError, ValueError):
        return None
    if own is not None:
        return own
    # A kernel's own tree has arch/x86/boot/bzImage.
    above = image.resolve().parents
    places = [
        image.parent / f"System.map-{release}",
        image.parent / "System.map",
        image.parent / f"{release}/System.map",
    ]
    places += [above[3] / "System.map"] if len(above) > 3 else []
    for place in places:
        try:
            found = parse_system_map(place.read_text())
        except (OSError, ValueError):
            continue
        if found is not None:
            return found
    return None
