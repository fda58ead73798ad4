from __future__ import annotations

import mmap
import tempfile
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.classify.console import Finding, console_rules, find_all, stderr_rules, strongest
from harness.classify.rules import Weight
from harness.evidence.records import ConsoleText

PANIC = b"Kernel panic - not syncing: "


def find_crash(console: ConsoleText) -> Finding | None:
    found = find_all(console, console_rules())
    return strongest(found, Weight.FATAL) or strongest(found, Weight.SERIOUS)


def crash_of(console: ConsoleText) -> Finding:
    crash = find_crash(console)
    assert crash is not None
    return crash


@pytest.mark.parametrize(
    ("console", "line", "fatal"),
    [
        (b"[1] Kernel panic - not syncing: No working init found.", "Kernel panic - not syncing: No working", True),
        (b"ERROR: Panic on CPU[2]! COCONUT-SVSM Version: 1", "Panic on CPU[2]! COCONUT-SVSM Version: 1", True),
        (b"[1] Oops: 0002 [#1] SMP", "Oops: 0002 [#1] SMP", False),
        (b"[1] Oops: general protection fault, maybe for address 0x1: 0000 [#1] SMP", "Oops: general", False),
        (b"[1] general protection fault: 0000 [#1] SMP", "general protection fault: 0000", False),
        (b"[1] divide error: 0000 [#1] SMP", "divide error", False),
        # A BUG is an invalid opcode too; the line of the source says more.
        (b"[1] kernel BUG at mm/slub.c:4!\n[1] Oops: invalid opcode: 0000 [#1]", "kernel BUG at mm/slub.c:4!", False),
        (b"[1] kernel BUG at mm/slub.c:4!\n[1] invalid opcode: 0000 [#1] SMP", "kernel BUG at mm/slub.c:4!", False),
        # The first of one weight, and the panic before everything that does not end the guest.
        (b"BUG: one\nBUG: two", "BUG: one", False),
        (b"BUG: one\nKernel panic - not syncing: hung_task: blocked tasks", "Kernel panic - not syncing: hung", True),
        (b"Kernel panic - not syncing: A\nKernel panic - not syncing: B", "Kernel panic - not syncing: A", True),
        # The layer below explains the one above, also where it spoke later.
        (PANIC + b"A\nERROR: Panic on CPU[2]! x", "Panic on CPU[2]! x", True),
    ],
)
def test_the_line_that_says_what_crashed(console: bytes, line: str, fatal: bool) -> None:
    crash = crash_of(console)
    assert (crash.line[: len(line)], crash.weight is Weight.FATAL) == (line, fatal)


@pytest.mark.parametrize(
    "console",
    [
        b"",
        b"[    0.0] Linux version 6.12\r\n",
        b"traps: dropbear[71] general protection fault ip:7f00 sp:7ffd error:0 in libc.so.6[7f00+1000]\r\n",
        b"traps: x[9] trap invalid opcode ip:7f00 sp:7ffd error:0\r\n",
        b"[Firmware Bug]: TSC ADJUST: CPU0: -23 force to 0\r\n",
        b"DEBUG: all is well\r\n",
        b"WARNING: CPU: 0 PID: 1 at kernel/x.c:1\r\n",
        b"Kernel panic - not\r\n syncing: ",
        b"somebody's BUG at home\n",
    ],
)
def test_what_is_no_crash(console: bytes) -> None:
    assert find_crash(console) is None


@pytest.mark.parametrize(
    ("tail", "signature"),
    [
        (b"\x1b[2J\x1b[31mred\x1b[0m\x07", "Kernel panic - not syncing: red"),
        (b"a\tb   c\x00d", "Kernel panic - not syncing: a b cd"),
        (b"\xff\xfe\xe2\x80\xae", "Kernel panic - not syncing: \ufffd\ufffd"),  # the last is a right-to-left override
        (b"", "Kernel panic - not syncing:"),
        (b"x" * 100_000, "Kernel panic - not syncing: " + "x" * 92),
    ],
)
def test_hostile_text_is_made_harmless(tail: bytes, signature: str) -> None:
    crash = crash_of(PANIC + tail + b"\r\nnext line\r\n")
    assert crash.signature == signature
    assert len(crash.line) <= 350


@given(before=st.binary(max_size=200), tail=st.binary(max_size=500))
def test_any_bytes_give_one_printable_line(before: bytes, tail: bytes) -> None:
    crash = crash_of(before + b"\n" + PANIC + tail)
    assert crash.line.isprintable()
    assert crash.signature.isprintable()
    assert len(crash.signature) <= 120


@given(
    st.lists(st.sampled_from([b"Kernel panic - not ", b"syncing: ", b"BUG: ", b"\x1b[", b"\r", b"\0", b"\n", b"x:9"]))
)
def test_words_of_failures_in_any_order_are_read(words: list[bytes]) -> None:
    for finding in find_all(b"".join(words), console_rules()):
        assert finding.line.isprintable()


# A block of the search is 1 MiB and its overlap 512 bytes: a header may lie across any of its ends.
@pytest.mark.parametrize("shift", [-600, -512, -511, -40, -20, -1, 0, 1, 20, 503, 511, 512, 600])
@pytest.mark.parametrize(
    "filler", [b"x", b"\n", b"\0", b"\r\n", b"\x1b[0;32mok\x1b[0m\r\n"], ids=["line", "empty", "nul", "cr", "escape"]
)
def test_a_report_across_two_blocks_is_found_whole(shift: int, filler: bytes) -> None:
    size = (1 << 20) + shift
    before = (filler * (size // len(filler) + 1))[:size]
    report = b"\nBUG: kernel NULL pointer dereference, address: 0\nRIP: 0010:culprit_here+0x1/0x2\n"
    found = find_all(before + report + (filler * 3000)[:3000], console_rules())
    assert [finding.signature for finding in found if finding.weight is Weight.SERIOUS] == [
        "BUG: kernel NULL pointer dereference in culprit_here"
    ]


def test_a_benign_line_is_nobody_elses() -> None:
    text = (
        b"[SVSM] ERROR: Failed to launch /init: FileNotFound\n[SVSM] Not clearing possible read-only page at PA 0x1\n"
    )
    assert find_all(text, console_rules()) == ()
    assert find_all(b"warning: TCG doesn't support requested feature: a\n", stderr_rules()) == ()


def test_a_specific_note_stands_above_a_general_one() -> None:
    text = b"[SVSM] ERROR: something\n[SVSM] ERROR: Failed to launch FW: x\n"
    note = strongest(find_all(text, console_rules()), Weight.NOTE)
    assert note is not None
    assert note.signature == "Failed to launch FW: x"


def test_a_report_that_was_cut_says_so() -> None:
    whole = crash_of(b"ERROR: Panic on CPU[1]! V\nERROR: Info: panicked at a/b.rs:3:4:\nthe message\n")
    assert (whole.signature, whole.cut) == ("panic at a/b.rs:3: the message", None)
    cut = crash_of(b"ERROR: Panic on CPU[1]! V\nERROR: Info: pan")
    assert (cut.signature, cut.cut is None) == ("Panic on CPU N! V", False)


def test_a_flooded_console_is_searched_where_it_lies() -> None:
    line = b"[   12.345678] CPU 3: Oops, BUG and Kernel panic are words that a guest may print.\r\n"
    with tempfile.TemporaryFile() as file:
        file.write(line * ((4 << 20) // len(line)))
        file.write(b"Kernel panic - not syncing: at last\r\n")
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as console:
            assert crash_of(console).signature == "Kernel panic - not syncing: at last"


# Each may make a pattern try many ways; each is compared with plain text of the same length, on the same machine.
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "beginnings of headers": lambda size: (b"Kernel panic - not syncinBUG ERROR WARNINGINFO: !!!! " * size)[:size],
    "one line of stamps": lambda size: (b"[    1.0]" * size)[:size],
    "headers": lambda size: (b"BUG: Oops: WARNING: ERROR: Kernel panic - not syncing: \n" * size)[:size],
    "panics without info": lambda size: (
        (b"Panic on CPU[1]!" + b"\n[x] " * 99 + b"Panic: CPU[1] panicked at a") * (size // 500)
    ),
    "escapes": lambda size: (b"\x1b[0;0;0;0;0;0" * size)[:size],
    "lone escapes": lambda size: b"\x1b" * size,
    "carriage returns": lambda size: b"\r" * size,
    "frames": lambda size: (b"BUG: x\n" + b" a+0x1/0x2" * 20 + b"\n") * (size // 210),
    "test lines": lambda size: (b"test a ...\n" * size)[:size],
    "brackets": lambda size: (b"]: segfault at ]: segfault at " * size)[:size],
    "upper case": lambda size: b"W" * size,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_no_text_makes_the_search_go_wild(hostile: Callable[[int], bytes]) -> None:
    def cost_s(text: bytes) -> float:
        began = time.thread_time()
        find_all(text, console_rules())
        return time.thread_time() - began

    size = 100_000
    line = b"[    1.234567] a line of the guest, with CPU 3 and some Words in it\r\n"
    plain = cost_s(line * (4 * size // len(line)))
    # Four times as much plain text bounds a slower kind by a factor of 40; backtracking would cost thousands.
    assert cost_s(hostile(size)) < 10 * plain + 0.05
    # Twice as much costs about twice as much, not four times.
    small, large = min(cost_s(hostile(size)) for _ in range(2)), min(cost_s(hostile(2 * size)) for _ in range(2))
    assert large < 3.5 * small + 0.02


def test_the_first_line_of_a_report_has_no_second_meaning() -> None:
    found = find_all(b"Kernel panic - not syncing: Oops: BUG: x\nBUG: y\n", console_rules())
    assert [finding.line for finding in found] == ["Kernel panic - not syncing: Oops: BUG: x", "BUG: y"]
