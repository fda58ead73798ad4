from __future__ import annotations

import pytest
from sample_campaign import boot_line, lines_of

from harness.boot.context import Progress
from harness.checks.base import Status
from harness.cli.stability_live import Board, watch_campaign
from harness.results.record import BootLine
from harness.stability.account import Account, count_boots
from harness.stability.goal import Goal


def _add(board: Board, account: Account, line: BootLine) -> None:
    account.add(line)
    board.watch(line.identity, line)


def test_the_headline_says_how_it_stands() -> None:
    account = count_boots(Goal(10, 0.5, 0.95), 1, ())
    board = Board(account, begin_s=100.0)
    assert board.headline(101.0).startswith("0 of 10 boots done, 0 failed; time left not known yet; 95% interval")
    for line in lines_of("F.?."):
        _add(board, account, line)
    assert board.headline(108.0) == (
        "4 of 10 boots done, 1 failed, 1 told nothing; 12.0 s left; 95% interval 0.31% to 94.2%, anytime-valid"
    )


def test_the_time_left_rests_on_what_this_process_made() -> None:
    account = count_boots(Goal(10, None, 0.95), 1, lines_of("....."))
    board = Board(account, begin_s=0.0)
    assert "; time left not known yet; " in board.headline(9.0)
    _add(board, account, boot_line(6))
    assert "; 8 s left; " in board.headline(2.0)


def test_boots_recorded_earlier_tell_the_time_left_from_the_first_moment() -> None:
    account = count_boots(Goal(10, None, 0.95), 1, ())
    board = Board(account, begin_s=0.0, expected_s=2.0)
    assert "; 20.0 s left; " in board.headline(0.0)
    assert "; 19.0 s left; " in board.headline(1.0)
    _add(board, account, boot_line(1))
    # Four boots' worth of what was expected, and one of its own: 28 s for five.
    assert "; 50.4 s left; " in board.headline(20.0)


def test_with_a_stop_rule_the_time_left_is_a_limit() -> None:
    account = count_boots(Goal(10, 0.1, 0.95, sequential=True), 1, ())
    board = Board(account, begin_s=0.0)
    _add(board, account, boot_line(1))
    assert "; at most 9 s left; " in board.headline(1.0)


def test_the_board_shows_failures_by_signature_and_what_runs() -> None:
    account = count_boots(Goal(10, None, 0.95), 1, ())
    board = Board(account)
    _add(board, account, boot_line(1, Status.FAIL, "guest-panic: x\x1b[2J"))
    board.watch(boot_line(2).identity, Progress("firmware", "line\r"))
    shown = board.__rich__().plain
    assert "1 guest-panic: x" in shown
    assert "\x1b" not in shown
    assert "anytime-valid so far" in shown
    assert "boot 2" in shown
    assert "firmware" in shown
    _add(board, account, boot_line(2))
    assert "boot 2" not in board.__rich__().plain


@pytest.mark.parametrize("quiet", [False, True])
def test_without_a_terminal_failures_and_some_headlines_are_lines(
    capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    account = count_boots(Goal(100, None, 0.95), 1, ())
    with watch_campaign(account, quiet) as watch:
        for turn in range(1, 101):
            line = boot_line(turn, Status.FAIL if turn == 7 else Status.PASS)
            watch(line.identity, Progress("qemu", ""))
            account.add(line)
            watch(line.identity, line)
    lines = capsys.readouterr().err.splitlines()
    if quiet:
        assert lines == []
    else:
        assert len(lines) == 21
        assert lines[1] == "boot 7: FAIL guest-panic: x"
        assert lines[-1].startswith("100 of 100 boots done, 1 failed; 0 ms left; 95% interval 0.025% to 5.4%, exact")
