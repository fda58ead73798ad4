from __future__ import annotations

from pathlib import Path

import pytest

from harness.regress.plot import Narrowing, draw_file, terminal_plot

ROWS = [(n, 6.0 - n / 10, n // 2, 62 - n // 2) for n in range(1, 50)]


def test_the_terminal_shows_first_and_last_and_no_more_than_fits() -> None:
    lines = terminal_plot(ROWS, 62)
    assert len(lines) <= 19
    assert lines[1].split()[0] == "1"
    assert lines[-1].split()[0] == "49"
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].count("#") > lines[-1].count("#")
    assert terminal_plot([], 4) == []


def test_a_file_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    search = Narrowing('a "$@" to b "$@"', ROWS, 62)  # commit subjects and options hold such text: it is no formula
    for searches in ([], [search], [search, search, search]):
        draw_file(tmp_path / f"{len(searches)}.svg", searches)
    drawn = [(tmp_path / f"{count}.svg").read_text() for count in (0, 1, 3)]
    assert all("<svg" in text for text in drawn)
    assert drawn[2].count('id="FillBetweenPolyCollection_') > drawn[1].count('id="FillBetweenPolyCollection_') >= 1
