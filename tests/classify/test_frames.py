from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.classify.frames import culprit, is_messenger

TRACE = b"Oops: 0002 [#1]\n"


def body(*lines: str) -> bytes:
    return TRACE + "\n".join(lines).encode() + b"\n"


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["RIP: 0010:guilty+0x1a/0x50", " other+0x1/0x2"], "guilty"),
        # Who copies, locks, sleeps or reports is not guilty; the caller is.
        (["RIP: 0010:memcpy_orig+0x1a/0x50", " __memcpy+0x1/0x2", " guilty+0x1/0x2"], "guilty"),
        (["RIP: 0010:_raw_spin_lock_irqsave+0x1a/0x50", " guilty+0x1/0x2"], "guilty"),
        ([" dump_stack_lvl+0x1/0x2", " __might_resched+0x1/0x2", " mutex_lock+0x1/0x2", " guilty+0x1/0x2"], "guilty"),
        ([" __schedule+0x1/0x2", " schedule_timeout+0x1/0x2", " guilty+0x1/0x2"], "guilty"),
        # Nobody else: better the messenger's caller than nothing, but never a reporter.
        (["RIP: 0010:default_idle+0x1/0x2", " do_idle+0x1/0x2"], "default_idle"),
        ([" dump_stack_lvl+0x1/0x2", " panic+0x1/0x2"], None),
        # What the unwinder does not vouch for.
        ([" ? innocent+0x1/0x2", " guilty+0x1/0x2"], "guilty"),
        # A program's RIP, and one without a symbol.
        (["RIP: 0033:0x7f0012345678", " guilty+0x1/0x2"], "guilty"),
        (["RIP: 0010:0xffffffffdeadbeef", " guilty+0x1/0x2"], "guilty"),
        # Every way in which a frame is written.
        (["[    1.2]  guilty+0x1/0x2 [kvm_amd]"], "guilty"),
        (["<4>[    1.2]  [<ffffffff81000000>] guilty+0x1/0x2"], "guilty"),
        (["RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] guilty+0x1/0x2"], "guilty"),
        ([" guilty.constprop.0.isra.0+0x1/0x2"], "guilty"),
        # lockdep names the lock that is being acquired first.
        (["ffff (&a){+.+.}-{3:3}, at: guilty+0x1/0x2", "but …", "ffff (&b){..}-{0:0}, at: holder+0x1/0x2"], "guilty"),
        # Another report begins.
        (["---[ end trace 0 ]---", " somebody_else+0x1/0x2"], None),
        ([], None),
        ([" no frame at all", " half_a_frame+0x"], None),
    ],
)
def test_the_function_that_is_named(lines: list[str], name: str | None) -> None:
    assert culprit(body(*lines)) == name


def test_the_function_of_the_header_comes_first_unless_it_is_a_messenger() -> None:
    assert culprit(body("RIP: 0010:other+0x1/0x2"), "guilty") == "guilty"
    assert culprit(body(" guilty+0x1/0x2"), "refcount_warn_saturate") == "guilty"
    assert is_messenger("memcpy")
    assert not is_messenger("vmsa_copy")


def test_the_frames_of_another_caller_are_left_out() -> None:
    text = (
        b"[    1.000001][    T7] Oops: 0002 [#1]\n"
        b"[    1.000002][    C1] RIP: 0010:innocent+0x1/0x2\n"
        b"[    1.000003][    T7] RIP: 0010:guilty+0x1/0x2\n"
    )
    assert culprit(text) == "guilty"
    assert culprit(text.replace(b"[    T7]", b"").replace(b"[    C1]", b"")) == "innocent"


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes_are_read(data: bytes, named: str) -> None:
    assert culprit(data) is None or isinstance(culprit(data), str)
    assert culprit(data, named) is None or isinstance(culprit(data, named), str)
