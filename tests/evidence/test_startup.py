from __future__ import annotations

import mmap
import tempfile

import pytest

from harness.evidence.records import Chunk, Mark
from harness.evidence.startup import MILESTONES, Phase, find_marks, phases, time_of

_BOOT = (
    b"[Stage2] COCONUT Secure Virtual Machine Service Module (SVSM) Stage 2 Loader\r\n"
    b"[SVSM] COCONUT Secure Virtual Machine Service Module\r\n"
    b"[main] INFO: Guest Memory Regions:\r\n"
    b"[SVSM] CPU 1 is online\r\n"
    b"[SVSM] CPU 2 is online\r\n"
    b"[SVSM] FW Meta Data\r\n"
    b"[SVSM] VTPM: TPM 2.0 Reference Implementation initialized\r\n"
    b"[SVSM] Launching Firmware\r\n"
    b"[SVSM] Launching request-processing task on CPU 0\r\n"
    b"svsm-harness: guest started at VMPL2\r\n"
    b"[    0.000000] Linux version 6.12.0\r\n"
    b"[    2.0] svsm-harness: init\r\n"
    b"[    3.0] svsm-harness: network\r\n"
    b"[    4.0] svsm-harness: ready\r\n"
)


def _line_chunks(text: bytes) -> list[Chunk]:
    # Line N arrived N seconds after the start.
    ends = [index + 1 for index, byte in enumerate(text) if byte == ord("\n")]
    return [Chunk(end, float(number)) for number, end in enumerate(ends, start=1)]


@pytest.mark.parametrize(("offset", "at_s"), [(0, 1.0), (9, 1.0), (10, 2.0), (19, 2.0), (20, None)])
def test_a_byte_has_the_time_of_the_chunk_that_brought_it(offset: int, at_s: float | None) -> None:
    assert time_of(offset, [Chunk(10, 1.0), Chunk(20, 2.0)]) == at_s


def test_a_byte_that_never_arrived_has_no_time() -> None:
    assert time_of(0, []) is None
    assert find_marks("console", _BOOT, []) == ()


def test_every_milestone_of_the_console_is_seen_when_its_line_came() -> None:
    marks = find_marks("console", _BOOT, _line_chunks(_BOOT))
    assert [(mark.milestone, mark.at_s) for mark in marks] == [
        ("svsm-stage2", 1.0),
        ("svsm", 2.0),
        ("svsm-memory", 3.0),
        ("svsm-smp", 4.0),  # the first CPU that is online, not the last
        ("svsm-firmware", 6.0),
        ("svsm-vtpm", 7.0),
        ("svsm-launch", 8.0),
        ("svsm-requests", 9.0),
        ("guest", 10.0),
        ("kernel", 11.0),
        ("init", 12.0),
        ("network", 13.0),
        ("ready", 14.0),
    ]


def test_every_milestone_of_the_table_can_be_seen() -> None:
    assert {stone.name for stone in MILESTONES if stone.stream == "console"} == {
        mark.milestone for mark in find_marks("console", _BOOT, _line_chunks(_BOOT))
    }
    for firmware in (b"SeaBIOS (version 1.16.2)\n", b"qboot\n"):
        assert find_marks("firmware", firmware, [Chunk(99, 0.1)]) == (Mark("firmware", 0.1),)


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        ("console", b"SeaBIOS (version 1.16.2)\n"),  # the right text on the wrong console
        ("firmware", _BOOT),
        ("console", b"svsm-harness: readying\nLinux version x\nsvsm-harness: initial\n"),
        ("console", b"Linux version\r\n 6.12\r\n"),
        ("console", b"CPU x is online\n"),
        ("console", b""),
        ("nothing", _BOOT),
    ],
)
def test_what_is_no_milestone(stream: str, text: bytes) -> None:
    assert find_marks(stream, text, [Chunk(len(text) + 1, 1.0)]) == ()


def test_marks_are_in_order_of_time_and_not_of_the_table() -> None:
    text = b"svsm-harness: ready\n" + b"Linux version 6\n"  # as a kexec shows it
    marks = find_marks("console", text, _line_chunks(text))
    assert [mark.milestone for mark in marks] == ["ready", "kernel"]


def test_phases_lie_between_marks_whatever_their_order() -> None:
    marks = [Mark("ready", 4.0), Mark("kernel", 0.5), Mark("init", 2.5)]
    assert phases(marks) == (Phase("kernel", 0.0, 0.5), Phase("init", 0.5, 2.5), Phase("ready", 2.5, 4.0))
    assert [phase.duration_s for phase in phases(marks)] == [0.5, 2.0, 1.5]
    assert phases([]) == ()


def test_a_flooded_console_is_searched_where_it_lies() -> None:
    line = b"[   12.345678] CPU 3 went for Linux and the SVSM on its way to be ready.\r\n"
    with tempfile.TemporaryFile() as file:
        file.write(line * ((50 << 20) // len(line)))
        file.write(b"svsm-harness: ready\r\n")
        size = file.tell()
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            marks = find_marks("console", text, [Chunk(size - 30, 8.0), Chunk(size, 9.0)])
    assert marks == (Mark("ready", 9.0),)
