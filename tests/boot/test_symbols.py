from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.boot.symbols import find_symbols, parse_elf, parse_system_map

MAP = """ffffffff81000000 T _stext
ffffffff81000100 t do_idle
ffffffff81a00b60 T asm_exc_divide_error
ffffffff82000000 D a_variable
0000000000000000 A fixed_percpu_data
ffffffff81000180 W weak_one
"""


def test_code_of_a_moved_kernel_is_named() -> None:
    symbols = parse_system_map(MAP)
    assert symbols is not None
    offset = symbols.offset_of(0xFFFFFFFFB9A00B60)
    assert offset == 0x38000000
    assert symbols.place(0xFFFFFFFF81000123 + offset, offset) == "do_idle+0x23"
    assert symbols.place(0xFFFFFFFF810001A0, 0) == "weak_one+0x20"


@pytest.mark.parametrize("address", [0, 0x1000, 0xFFFFFFFF80FFFFFF, 0xFFFFFFFFC0400000])
def test_what_is_not_the_kernels_has_no_name(address: int) -> None:
    symbols = parse_system_map(MAP)
    assert symbols is not None and symbols.place(address) == ""


def test_a_map_that_only_names_a_package_is_none() -> None:
    assert (
        parse_system_map("ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n") is None
    )


def test_a_map_without_the_anchor_moves_nothing() -> None:
    symbols = parse_system_map("ffffffff81000000 T _stext\n")
    assert symbols is not None and symbols.offset_of(0xFFFFFFFFB9A00B60) is None


@pytest.mark.parametrize("where", ["System.map-6.1.0", "System.map", "6.1.0/System.map"])
def test_the_map_is_found_beside_the_kernel(tmp_path: Path, where: str) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"MZ")
    assert find_symbols(tmp_path / "vmlinuz", "6.1.0") is None
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text(MAP)
    assert find_symbols(tmp_path / "vmlinuz", "6.1.0") == parse_system_map(MAP)


def test_the_map_is_found_in_the_tree_of_a_build(tmp_path: Path) -> None:
    image = tmp_path / "arch/x86/boot/bzImage"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"MZ")
    (tmp_path / "System.map").write_text(MAP)
    assert find_symbols(image, "6.1.0") is not None


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("bits", ["-m64", "-m32"])
def test_an_elf_names_its_own_code(tmp_path: Path, bits: str) -> None:
    source, image = tmp_path / "a.S", tmp_path / "a.elf"
    source.write_text(".globl here\n.type here, @function\n.org 0x40\nhere: nop\nlabel: nop\n")
    subprocess.run(["gcc", bits, "-c", str(source), "-o", str(image)], check=True)
    symbols = find_symbols(image, "")
    assert symbols is not None
    assert symbols.place(0x40) == "here+0x0"
    assert symbols.place(0x43) == "label+0x2"
    whole = image.read_bytes()
    for cut in (4, 40, 100, len(whole) // 2, len(whole) - 8):
        parse_elf(whole[:cut])  # damaged: no name, and no exception


def test_what_is_no_elf_has_no_symbols() -> None:
    assert parse_elf(b"") is None
    assert parse_elf(b"\x7fELF\x02\x02") is None
