from __future__ import annotations

import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.plain import console_tail, plain

BAD = "\ufffd"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("<script>alert(1)</script>&amp;", "<script>alert(1)</script>&amp;"),  # escaping is the template's
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x1bcreset", "reset"),
        ("\x1b(Bx\x1b=", "x"),
        ("a\x00b\x08c\rd\ne", f"a{BAD}b{BAD}c{BAD}d{BAD}e"),
        ("\x9b31mC1", f"{BAD}31mC1"),
        ("abc\u202edcba", f"abc{BAD}dcba"),
        ("zero\u200bwidth\ufeff", f"zero{BAD}width{BAD}"),
        ("half\ud800", f"half{BAD}"),
        ("tab\there", "tab    here"),
        ("ümläut 你好 🦊", "ümläut 你好 🦊"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_long_lines_are_cut_and_say_so() -> None:
    assert plain("x" * 11, 10) == "xxxxxxxxxx… (1 more characters)"
    assert plain("x" * 10, 10) == "xxxxxxxxxx"
    assert plain("\x1b[1m" * 1_000_000 + "x", 10).endswith("more characters)")


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=200))
def test_whatever_comes_goes_into_xml_and_utf8(text: str) -> None:
    shown = plain(text)
    element = ElementTree.Element("x")
    element.text = shown
    assert ElementTree.fromstring(ElementTree.tostring(element, "utf-8")).text == (shown or None)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in shown)


def test_the_tail_of_a_console(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    assert console_tail(path, 3, 80) == ()
    path.write_bytes(b"one\r\ntwo\r\n\r\n\xff\xfethree\x1b[2J\r\nfour")
    assert console_tail(path, 3, 80) == ("two", f"{BAD}{BAD}three", "four")


def test_a_megabyte_line_is_a_short_one(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"begin\n" + b"A" * (5 << 20) + b"\nend\n")
    tail = console_tail(path, 30, 100)
    assert tail[-1] == "end"
    assert len(tail) == 2 and len(tail[0]) < 140
