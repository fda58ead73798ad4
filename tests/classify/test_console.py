from __future__ import annotations

import mmap
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.classify.console import find_crash

# Two boots of one fault each: other times, CPUs, process ids and addresses.
PAIRS = {
    "mount": (
        b"[    1.10] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n",
        b"[   77.32] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n",
        "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
    ),
    "stack protector": (
        b"[    1.1] Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: do_idle+0x3a/0x50\n",
        b"[    9.1] Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: do_idle+0x3a/0x5f\n",
        "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: do_idle+ADDR/ADDR",
    ),
    "page fault": (
        b"[    1.1] BUG: unable to handle page fault for address: ffff88800badf00d\n",
        b"[    2.1] BUG: unable to handle page fault for address: ffffc90000013f58\n",
        "BUG: unable to handle page fault for address: ADDR",
    ),
    "soft lockup": (
        b"[   28.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [kworker/0:1:17]\n",
        b"[   52.0] watchdog: BUG: soft lockup - CPU#13 stuck for 47s! [kworker/13:2:4711]\n",
        "BUG: soft lockup - CPU N stuck for Ns! [kworker/N]",
    ),
    "soft lockup of a program": (
        b"[   28.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [dd:71]\n",
        b"[   28.0] watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [dd:4096]\n",
        "BUG: soft lockup - CPU N stuck for Ns! [dd:N]",
    ),
    "atomic": (
        b"BUG: scheduling while atomic: swapper/0/1/0x00000002\n",
        b"BUG: scheduling while atomic: swapper/3/0/0x00010000\n",
        "BUG: scheduling while atomic: swapper/N/N/ADDR",
    ),
    "double fault": (
        b"[    0.4] double fault: 0000 [#1] PREEMPT SMP NOPTI\n",
        b"[    0.9] double fault: 0000 [#2] PREEMPT SMP NOPTI\n",
        "double fault: 0000 [#N] PREEMPT SMP NOPTI",
    ),
    "general protection": (
        b"general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP\n",
        b"general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] SMP\n",
        "general protection fault, probably for non-canonical address ADDR: 0000 [#N] SMP",
    ),
    "svsm, before 2025": (
        b"[SVSM] ERROR: Panic: CPU[0] panicked at kernel/src/mm/alloc.rs:12:5:\nout of memory\n",
        b"[SVSM] ERROR: Panic: CPU[3] panicked at kernel/src/mm/alloc.rs:12:5:\nout of memory\n",
        "Panic: CPU N panicked at kernel/src/mm/alloc.rs:12:5:",
    ),
}


@pytest.mark.parametrize(("first", "second", "signature"), PAIRS.values(), ids=PAIRS)
def test_two_boots_of_one_fault_have_one_signature(first: bytes, second: bytes, signature: str) -> None:
    for console in (first, second):
        crash = find_crash(b"[    0.0] Linux version 6.12\r\n" + console + b"[    9.9] more\r\n")
        assert crash is not None
        assert crash.signature == signature


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
        (
            b"[1] kernel BUG at mm/slub.c:4!\n[1] Oops: invalid opcode: 0000 [#1] SMP",
            "kernel BUG at mm/slub.c:4!",
            False,
        ),
        (b"[1] kernel BUG at mm/slub.c:4!\n[1] invalid opcode: 0000 [#1] SMP", "kernel BUG at mm/slub.c:4!", False),
        # The first of one rank, and the panic before everything that does not end the guest.
        (b"BUG: one\nBUG: two", "BUG: one", False),
        (b"BUG: one\nKernel panic - not syncing: hung_task: blocked tasks", "Kernel panic - not syncing: hung", True),
        (b"Kernel panic - not syncing: A\nKernel panic - not syncing: B", "Kernel panic - not syncing: A", True),
    ],
)
def test_the_line_that_says_what_crashed(console: bytes, line: str, fatal: bool) -> None:
    crash = find_crash(console)
    assert crash is not None
    assert (crash.line[: len(line)], crash.fatal) == (line, fatal)


@pytest.mark.parametrize(
    "panic",
    [
        b"Kernel panic - not syncing: Fatal exception",
        b"Kernel panic - not syncing: Fatal exception in interrupt",
        b"Kernel panic - not syncing: Aiee, killing interrupt handler!",
        b"Kernel panic - not syncing: Attempted to kill the idle task!",
        b"Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
    ],
)
def test_a_panic_that_only_ends_an_oops_is_named_after_it(panic: bytes) -> None:
    oops = b"[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000010\r\n"
    rest = b"[    2.0] Oops: 0002 [#1] SMP\r\n[    2.1] RIP: 0010:x+0x1/0x2\r\n"
    crash = find_crash(oops + rest + panic + b"\r\n")
    assert crash is not None
    assert crash.fatal
    assert crash.signature == "BUG: kernel NULL pointer dereference, address: ADDR"
    # Without the oops, or with one that only came after it, there is no other cause.
    for alone in (panic, panic + b"\r\n" + oops):
        crash = find_crash(alone)
        assert crash is not None
        assert crash.line == panic.decode()


def test_an_init_that_ended_is_no_consequence_of_an_earlier_warning() -> None:
    crash = find_crash(
        b"BUG: workqueue lockup\nKernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"
    )
    assert crash is not None
    assert crash.signature == "Kernel panic - not syncing: Attempted to kill init! exitcode=N"


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
    ],
)
def test_what_is_no_crash(console: bytes) -> None:
    assert find_crash(console) is None


@pytest.mark.parametrize(
    ("tail", "signature"),
    [
        (b"\x1b[2J\x1b[31mred\x1b[0m\x07", "Kernel panic - not syncing: red"),
        (b"a\tb   c\x00d", "Kernel panic - not syncing: a b c d"),
        (b"\xff\xfe\xe2\x80\xae", "Kernel panic - not syncing: \ufffd\ufffd"),  # the last is a right-to-left override
        (b"", "Kernel panic - not syncing:"),
        (b"x" * 100_000, "Kernel panic - not syncing: " + "x" * 92),
    ],
)
def test_hostile_text_is_made_harmless(tail: bytes, signature: str) -> None:
    crash = find_crash(b"Kernel panic - not syncing: " + tail + b"\r\nnext line\r\n")
    assert crash is not None
    assert crash.signature == signature
    assert len(crash.line) <= 350


@given(before=st.binary(max_size=200), tail=st.binary(max_size=500))
def test_any_bytes_give_one_printable_line(before: bytes, tail: bytes) -> None:
    crash = find_crash(before + b"\nKernel panic - not syncing: " + tail)
    assert crash is not None
    assert crash.line.isprintable()
    assert crash.signature.isprintable()
    assert len(crash.signature) <= 120


def test_a_flooded_console_is_searched_where_it_lies() -> None:
    line = b"[   12.345678] CPU 3: Oops, BUG and Kernel panic are words that a guest may print.\r\n"
    with tempfile.TemporaryFile() as file:
        file.write(line * ((50 << 20) // len(line)))
        file.write(b"Kernel panic - not syncing: at last\r\n")
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as console:
            crash = find_crash(console)
    assert crash is not None
    assert crash.signature == "Kernel panic - not syncing: at last"
