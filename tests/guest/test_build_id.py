"""Two builds are told apart by what the linker wrote into them."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.guest.build_id import NoBuildId, build_id_of_notes, image_build_id


def note(owner: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<III", len(owner), len(value), kind) + owner + value + b"\0" * (-len(value) % 4)


def test_the_running_kernels_notes_name_it() -> None:
    block = note(b"Xen\0", 18, b"12345") + note(b"GNU\0", 1, b"abi.") + note(b"GNU\0", 3, b"\xde\xad\xbe\xef")
    assert build_id_of_notes(block) == "deadbeef"


@pytest.mark.parametrize("block", [b"", note(b"GNU\0", 1, b"abi."), note(b"GNU\0", 3, b"\xde\xad\xbe\xef")[:-1]])
def test_notes_without_one(block: bytes) -> None:
    with pytest.raises(NoBuildId, match="no note"):
        build_id_of_notes(block)


def test_an_image_has_what_the_linker_wrote(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    words = ["gcc", "-xc", "-", "-nostdlib", "-static", "-Wl,--build-id=0x1234abcd", "-o", str(tmp_path / "vmlinux")]
    subprocess.run(words, input=b"void _start(void) {}", check=True)
    assert image_build_id(tmp_path / "vmlinux") == "1234abcd"


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF", b"\0" * 4096])
def test_what_is_no_kernel_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(NoBuildId):
        image_build_id(tmp_path / "image")
