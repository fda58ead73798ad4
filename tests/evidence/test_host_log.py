"""What changed of a host's kernel."""

from __future__ import annotations

import pytest

from harness.evidence.host_log import HURT_BITS, LogDelta, added_lines, taint_letters

LOG = "[ 1.0] a\n[ 2.0] b\n[ 2.0] b\n[ 3.0] c\n"


@pytest.mark.parametrize(
    ("anchor", "added"),
    [
        ("[ 3.0] c\n", ()),
        ("[ 2.0] b\n", ("[ 3.0] c",)),
        ("[ 1.0] a", ("[ 2.0] b", "[ 2.0] b", "[ 3.0] c")),
        ("\n", ("[ 1.0] a", "[ 2.0] b", "[ 2.0] b", "[ 3.0] c")),
        ("[ 0.5] gone\n", None),
        ("[ 3.0]", None),
    ],
)
def test_the_lines_behind_the_anchor(anchor: str, added: tuple[str, ...] | None) -> None:
    assert added_lines(anchor, LOG) == added


@pytest.mark.parametrize(
    ("taint", "letters"), [(0, "-"), (1, "P"), (1 << 9, "W"), (1 << 7 | 1 << 9, "DW"), (1 << 30, "[30]")]
)
def test_letters(taint: int, letters: str) -> None:
    assert taint_letters(taint) == letters


def test_only_what_is_new_counts_and_a_module_from_elsewhere_hurts_nobody() -> None:
    assert LogDelta((), 1 << 9, 1 << 9).taint_added == 0
    added = LogDelta((), 1 << 9, 1 << 9 | 1 << 7).taint_added
    assert taint_letters(added) == "D" and added & HURT_BITS
    assert taint_letters(HURT_BITS) == "MBDWL"
    assert not (1 << 12 | 1 << 13 | 1) & HURT_BITS
