"""The image is read back by whatever this machine has that reads one, and by its own structure."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.guest.iso9660 import iso_image

FILES = {"user-data": b"#cloud-config\n" + b"x" * 5000, "meta-data": b"instance-id: a\n", "empty": b""}


def read(image: bytes) -> tuple[str, dict[str, bytes]]:
    """Follow the volume descriptor to the root and its files (ECMA-119)."""
    volume = image[16 * 2048 : 17 * 2048]
    assert volume[:7] == b"\x01CD001\x01" and image[17 * 2048 :][:7] == b"\xffCD001\x01"
    assert struct.unpack_from("<I", volume, 80)[0] * 2048 == len(image)
    root = volume[156:190]
    sector, length = struct.unpack_from("<I", root, 2)[0], struct.unpack_from("<I", root, 10)[0]
    directory, files, at = image[sector * 2048 :][:length], {}, 0
    while at < len(directory) and directory[at]:
        record = directory[at : at + directory[at]]
        name = record[33 : 33 + record[32]]
        if name not in (b"\0", b"\1"):
            begin = struct.unpack_from(">I", record, 6)[0] * 2048
            files[name.decode()] = image[begin : begin + struct.unpack_from(">I", record, 14)[0]]
        at += directory[at]
    return volume[40:72].decode().strip(), files


def test_label_names_and_content_are_there() -> None:
    label, files = read(iso_image("cidata", FILES))
    assert label == "cidata"
    assert files == {f"{name.upper()}.;1": content for name, content in FILES.items()}


def test_the_same_files_give_the_same_image() -> None:
    assert iso_image("a", FILES) == iso_image("a", dict(reversed(FILES.items())))


@pytest.mark.parametrize("name", ["", "UPPER", "a.b", "a/b", "ä", "x" * 32])
def test_names_that_would_be_read_back_as_others_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        iso_image("cidata", {name: b""})


def test_too_many_files_and_bad_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        iso_image("cidata", {f"file-{number}": b"" for number in range(60)})
    with pytest.raises(ValueError, match="no label"):
        iso_image("", {})


def test_blkid_sees_the_label(tmp_path: Path) -> None:
    blkid = shutil.which("blkid", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if blkid is None:
        pytest.skip("there is no blkid")
    (tmp_path / "seed").write_bytes(iso_image("cidata", FILES))
    said = subprocess.run([blkid, "-p", str(tmp_path / "seed")], capture_output=True, text=True, check=True).stdout
    assert 'LABEL="cidata"' in said and 'TYPE="iso9660"' in said
