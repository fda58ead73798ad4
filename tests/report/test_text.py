from __future__ import annotations

from pathlib import Path

from harness.report.text import render_markdown, render_text

from .sample_night import make_night


def test_a_mail_says_what_is_worse_and_on_which_grade(tmp_path: Path) -> None:
    text = render_text(make_night(tmp_path))
    assert text.startswith("svsm-harness: FAIL\n\n")
    assert "1 of 6 scenarios failed; 2 of 62 boots failed; 2 told nothing." in text
    assert "Worse than baseline main (2026-11-21):\n  * [model] calls: 1 of 1 boot failed" in text
    assert "A pass here is not a pass on SNP" in text.replace("\n", " ")
    assert "[tcg] PASS: 0 of 1 boots failed" in text
    assert "svsm-harness repro" in text
    assert "  | last" in text


def test_a_mail_is_plain(tmp_path: Path) -> None:
    text = render_text(make_night(tmp_path))
    assert all(line.isprintable() for line in text.splitlines())
    prose = [line for line in text.splitlines() if "|" not in line and "boots failed:" not in line]
    assert max(map(len, prose)) <= 76


def test_markdown_keeps_a_guest_in_code(tmp_path: Path) -> None:
    text = render_markdown(make_night(tmp_path))
    assert "### svsm-harness: FAIL" in text
    assert "| `calls` | model | FAIL | 1 of 1 | 2.5% to 100% |" in text
    assert "> **Grade of evidence.**" in text
    for line in text.splitlines():
        assert line.isprintable()
        if "<script>" in line and not line.startswith("    "):
            fence = "``" if "``" in line else "`"
            before, inside, _ = line.split(fence, 2)
            assert "<script>" not in before and "<script>" in inside


def test_without_a_baseline_nothing_is_said_to_be_worse(tmp_path: Path) -> None:
    night = make_night(tmp_path)
    alone = type(night)(
        **{name: getattr(night, name) for name in night.__slots__} | {"baseline": None, "comparison": None}
    )
    assert "Worse" not in render_text(alone) + render_markdown(alone)
