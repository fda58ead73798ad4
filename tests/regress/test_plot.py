from __future__ import annotations

from pathlib import Path

import pytest

from harness.regress.plot import draw_file, terminal_plot

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
    draw_file(tmp_path / "plot.svg", ROWS, 62)
    assert b"<svg" in (tmp_path / "plot.svg").read_bytes()
