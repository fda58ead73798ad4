"""Tables, with text that a hostile guest wrote."""

import re

import pytest

from harness.cli.table import columns, one_line

HOSTILE = [
    "\x1b[2J\x1b[H\x1b]0;title\x07cleared",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "a\r\nb\tc\x00d\x08\x08\x7f",
    "\x9b31mC1 CSI",
    "\x1bP+q544e\x1b\\dcs",
    "\x1b",
    "\x1b[",
    "\u202ereversed\u2066isolated\u2069",
    "\u2028line\u2029paragraph\x85next",
    "\x1b[38;5;1" * 50,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_moves_the_cursor_or_breaks_the_line(text: str) -> None:
    shown = one_line(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown), repr(shown)
    assert len(shown.splitlines()) <= 1
    assert len(one_line(text, 10)) <= 10


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", None, "abc"),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("  a\n\nb  ", None, "a b"),
        ("", 5, ""),
    ],
)
def test_a_line_is_cut_only_where_it_must_be(text: str, width: int | None, shown: str) -> None:
    assert one_line(text, width) == shown


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "\x1b[1;31mred\x1b[m", "\x1b[38;2;1;2;3mred\x1b[K"])
def test_colours_are_dropped_without_a_trace(text: str) -> None:
    assert one_line(text) == "red"


def test_columns_align_and_the_last_takes_what_is_left() -> None:
    rows = [("name", "n", "reason"), ("a", "10", "x" * 100), ("longer", "2", "y")]
    assert columns(rows, None) == ["name    n   reason", f"a       10  {'x' * 100}", "longer  2   y"]
    assert columns(rows, 40)[1] == f"a       10  {'x' * 27}…"
    assert all(len(line) <= 40 for line in columns(rows, 40))


def test_every_cell_is_made_harmless() -> None:
    rows = [("name", "reason"), ("a\x1b[2Jb\nc", "x\ny")]
    (_, line) = columns(rows, None)
    assert "\x1b" not in line and "\n" not in line
