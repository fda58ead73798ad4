from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.classify.signature import printable, steady, steady_message


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("address: 0000000000000008", "address: ffff88800badf00d", "address: ADDR"),
        ("at 0xffffffff81000000", "at 0x10", "at ADDR"),
        ("CPU#0 stuck for 22s!", "CPU#13 stuck for 147s!", "CPU N stuck for Ns!"),
        ("on CPU 3", "on CPU 4", "on CPU N"),
        ("[kworker/0:1:17]", "[kworker/u8:3:4711]", "[kworker/N]"),
        ("[dd:71]", "[dd:4096]", "[dd:N]"),
        ("dd[71]: x", "dd[4096]: x", "dd[N] x"),
        ("atomic: swapper/0/1/0x2", "atomic: swapper/3/0/0x10000", "atomic: swapper/N/N/ADDR"),
        ("while atomic: dd/71/0x2", "while atomic: dd/2/0x3", "while atomic: dd/N/ADDR"),
        ("task dd:71 blocked", "task dd:9 blocked", "task dd:N blocked"),
        ("for 120 seconds, 3 jiffies, 1.5ms", "for 9 seconds, 99 jiffies, 7ms", "for N seconds, N jiffies, Nms"),
        ("pid 4 PID: 7", "pid 5 PID: 8", "pid N PID N"),
        ("double fault: 0000 [#1] SMP", "double fault: 0000 [#2] PREEMPT", "double fault"),
        ("Oops: divide error: 0000 [#1]", "divide error: 0000 [#1] SMP", "divide error"),
        ("gpf, probably for non-canonical address 0x1: 0000 [#1]", "gpf, maybe for address 0x2: 0000 [#1]", "gpf"),
        ("exitcode=0x00000100", "exitcode=0x00007f00", "exitcode=N"),
        ("pfn:1a2b", "pfn:ffe", "pfn N"),
    ],
)
def test_what_differs_from_boot_to_boot_is_made_the_same(first: str, second: str, same: str) -> None:
    assert steady(first) == steady(second) == same


@pytest.mark.parametrize("text", ["unknown-block(0,0)", "mm/slub.c:451", "VMPL 2", "error -6", "facade is a word"])
def test_what_is_the_same_in_every_boot_stays(text: str) -> None:
    assert steady(text) == text


def test_a_short_number_in_a_message_is_a_code() -> None:
    assert steady_message("at RIP 0xffffff8000001230 code: 0x72") == "at RIP ADDR code: 0x72"


@given(st.binary(max_size=200))
def test_any_bytes_become_printable(data: bytes) -> None:
    text = printable(data)
    assert text.isprintable()
    assert steady(text).isprintable()
    assert steady_message(text).isprintable()


@given(st.text(max_size=200))
def test_steady_text_stays(text: str) -> None:
    assert steady(steady(text)) == steady(steady(steady(text)))
