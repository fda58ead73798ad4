"""A line for each position that was booted, whatever says something between; the board shows what is under way."""

from __future__ import annotations

import pytest

from harness.boot.context import Progress
from harness.cli.bisect_live import Board, watch_search
from harness.regress.search import Standing
from harness.stats.bisect_posterior import Tally


def booted(label: str, bad: int, good: int, other: int = 0) -> Standing:
    return Standing(label, Tally(bad, good, other), booting=True, left_bits=2.04)


def test_a_position_that_is_left_has_one_line() -> None:
    lines: list[str] = []
    board = Board(lines.append)
    for good in range(60):
        board.show(booted("one", 0, good))
    board.show(Standing("two", Tally(), booting=False))
    board.show(booted("two", 1, 0, 3))
    board.say("two: the host runs 6.1")
    board.show(Standing("check", Tally(0, 4), booting=True))
    board.close()
    board.close()
    assert lines == [
        "one: 0 of 59 failed; 2.0 bits left of the question",
        "two: 1 of 1 failed, 3 told nothing; 2.0 bits left of the question",
        "two: the host runs 6.1",
        "check: 0 of 4 failed",
    ]


def test_the_board_shows_what_is_under_way() -> None:
    board = Board(lambda text: None, begin_s=0.0)
    board.show(Standing("one", Tally(), booting=False))
    board.say("one: building")
    assert str(board.__rich__()).startswith("one: making it ready  ")
    board.show(booted("one", 2, 5))
    board.boot(8, Progress("firmware", "a line\x1b[2J\r"))
    board.boot(9, Progress("kernel", ""))
    board.boot(9, None)
    board.boot(9, None)
    position, boot, made = str(board.__rich__()).splitlines()
    assert position.startswith("one: 2 of 7 failed; 2.0 bits left of the question  ")
    assert boot.startswith("  boot 8 ") and "firmware" in boot and "a line" in boot and "\x1b" not in boot
    assert made.startswith("boots made: 1, in ")


def test_a_log_hears_of_long_batches(capsys: pytest.CaptureFixture[str]) -> None:
    with watch_search(quiet=False) as board:
        for good in range(61):
            board.show(booted("one", 0, good))
            board.show(booted("one", 0, good))
    said = capsys.readouterr()
    assert said.out == ""
    stands = [line.split(" failed")[0] for line in said.err.splitlines()]
    assert stands == ["one: 0 of 25", "one: 0 of 50", "one: 0 of 60"]
    with watch_search(quiet=True) as board:
        board.say("nothing")
        board.show(booted("one", 0, 25))
    assert capsys.readouterr().err == ""
