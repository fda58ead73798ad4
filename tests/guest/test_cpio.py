"""The archives are what cpio(1) reads and writes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.guest import cpio

needs_cpio = pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio(1) is not installed")


def _listing(archive: bytes) -> list[list[str]]:
    done = subprocess.run(["cpio", "-itnv", "--quiet"], input=archive, capture_output=True, check=True)
    return [line.split() for line in done.stdout.decode().splitlines()]


@needs_cpio
def test_cpio_lists_every_kind_of_entry() -> None:
    archive = cpio.archive(
        [
            cpio.directory("/dev"),
            cpio.device("/dev/console", 5, 1),
            cpio.file("/init", b"#!/bin/sh\n", 0o755),
            cpio.symlink("/bin", "usr/bin"),
        ]
    )
    rows = _listing(archive)
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("drwxr-xr-x", "0", "0"),
        ("crw-------", "0", "0"),
        ("-rwxr-xr-x", "0", "0"),
        ("lrwxrwxrwx", "0", "0"),
    ]
    assert rows[1][4:6] == ["5,", "1"]
    assert rows[2][4] == "10"
    assert rows[3][-3:] == ["bin", "->", "usr/bin"]


@needs_cpio
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 511, 512, 513, 70_000])
def test_cpio_extracts_the_bytes_that_went_in(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    entries = [cpio.file(f"/{'n' * length}", content) for length in range(1, 6)]
    subprocess.run(
        ["cpio", "-i", "--quiet"], input=cpio.archive(entries), cwd=tmp_path, check=True, capture_output=True
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"n" * n: content for n in range(1, 6)}


@needs_cpio
def test_a_file_has_the_header_that_cpio_writes(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")
    (tmp_path / "hello").chmod(0o640)
    os.utime(tmp_path / "hello", (0, 0))
    done = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet", "--reproducible", "--owner=0:0"],
        input=b"hello\n",
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    ours = cpio.archive([cpio.file("/hello", b"hello\n", 0o640)])
    theirs = done.stdout
    # The inode number (bytes 6 to 14) is arbitrary in both.
    end = len(b"x" * 110 + b"hello\0") + 6
    assert ours[14:end] == theirs[14:end]


def test_archives_may_follow_each_other() -> None:
    assert len(cpio.archive([cpio.file("/a", b"x" * 77)])) % 512 == 0


def test_equal_entries_make_equal_bytes() -> None:
    entries = [cpio.file("/a", b"1"), cpio.symlink("/b", "a")]
    assert cpio.archive(entries) == cpio.archive(tuple(entries))


def test_parents_come_before_their_members_and_once() -> None:
    entries = cpio.with_parents([cpio.file("/a/b/c", b""), cpio.file("/a/b/d", b"")])
    assert [entry.path for entry in entries] == ["/a", "/a/b", "/a/b/c", "/a/b/d"]


def test_a_given_directory_keeps_its_mode() -> None:
    entries = cpio.with_parents([cpio.directory("/root", 0o700), cpio.file("/root/x", b"")])
    assert entries[0].mode & 0o777 == 0o700


def test_the_last_of_two_entries_wins() -> None:
    entries = cpio.with_parents([cpio.file("/a", b"old"), cpio.file("/a", b"new")])
    assert [entry.content for entry in entries] == [b"new"]


@pytest.mark.parametrize("path", ["relative", "../up", "", "/a/../../b", "/a//b", "/"])
def test_other_than_a_plain_absolute_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"guest"):
        cpio.archive([cpio.file(path, b"")])
