from __future__ import annotations

from dataclasses import replace

import pytest
from sample_campaign import boot_line, lines_of

from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus
from harness.cli.stability_text import (
    answer_sentence,
    beforehand,
    final_sentence,
    interval_text,
    kinds_rows,
    lost_sentence,
    repro_command,
    status_of,
    variants_rows,
)
from harness.stability.account import Account, count_boots
from harness.stability.goal import Goal

BELOW = "a failure rate below 1% is shown with 95% confidence"
FIXED = Goal(120, 0.05, 0.95)


def _account(pattern: str, goal: Goal | None = None) -> Account:
    return count_boots(goal or Goal(len(pattern), 0.05, 0.95), 1, lines_of(pattern))


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (
            Goal(300, 0.01, 0.95),
            f"{BELOW} by 299 boots without a failure; of 300, none may fail",
        ),
        (
            Goal(500, 0.01, 0.95),
            f"{BELOW} by 299 boots without a failure; of 500, at most 1 may fail",
        ),
        (
            Goal(120, 0.01, 0.95),
            f"{BELOW} by 299 boots without a failure: 120 cannot show it, whatever they do",
        ),
        (
            Goal(500, 0.01, 0.95, sequential=True),
            f"{BELOW} by 328 boots without a failure (decided while watching)",
        ),
        (
            Goal(300, 0.01, 0.95, sequential=True),
            f"{BELOW} by 328 boots without a failure (decided while watching)"
            ", which is more than the 300 that are made at most",
        ),
        (Goal(9, None, 0.95), "no limit was given, so that any failure is a FAIL"),
    ],
)
def test_what_it_takes_is_said_beforehand(goal: Goal, said: str) -> None:
    assert beforehand(goal).startswith(said)


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (
            _account("F" * 7 + "." * 113),
            "7 of 120 boots failed: 5.8% (95% interval 2.4% to 11.6%, exact), in 1 kind",
        ),
        (
            _account("F" * 7 + "." * 113, Goal(121, 0.05, 0.95)),
            "7 of 120 boots failed: 5.8% (95% interval 1.2% to 15.8%, anytime-valid), in 1 kind",
        ),
        (_account("." * 299), "0 of 299 boots failed: 0% (95% interval 0% to 1.2%, exact)"),
        (_account("F"), "1 of 1 boot failed: 100% (95% interval 2.5% to 100%, exact), in 1 kind"),
        (_account("??"), "none of 2 boots told anything"),
        (_account(""), "none of 0 boots told anything"),
        (_account("." * 19 + "?"), "0 of 19 boots failed: 0% (95% interval 0% to 17.6%, exact)"),
    ],
)
def test_the_final_sentence(account: Account, said: str) -> None:
    assert final_sentence(account) == said


@pytest.mark.parametrize("extended", [False, True])
def test_the_text_always_says_which_rule_the_interval_obeys(extended: bool) -> None:
    account = _account("F" * 3 + "." * 17, Goal(20, 0.05, 0.95, extended=extended))
    assert interval_text(account).endswith(", anytime-valid" if extended else ", exact")


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (
            _account("." * 59),
            "the failure rate is below 5% with 95% confidence (at most 5%; exact, one-sided, for a number of boots "
            "that was fixed beforehand)",
        ),
        (
            _account("F" * 20 + "." * 100),
            "the failure rate is above 5% with 95% confidence (exact, one-sided, for a number of boots that was fixed "
            "beforehand)",
        ),
        (
            _account("." * 70, Goal(99, 0.05, 0.95, sequential=True)),
            "the failure rate is below 5% with 95% confidence (sequential, decided by boot 65; valid although the "
            "boots were watched)",
        ),
        (
            _account("F" * 7 + "." * 113),
            "120 boots show neither a failure rate below 5% nor one above it, with 95% confidence",
        ),
        (
            _account("." * 59 + "?"),
            "60 boots show neither a failure rate below 5% nor one above it: those that told nothing could tip it",
        ),
        (_account("...", Goal(3, None, 0.95)), "no boot failed"),
        (_account("..F", Goal(3, None, 0.95)), "boots failed, and without --max-failure-rate no failure is accepted"),
        (_account("..?", Goal(3, None, 0.95)), "no failure was seen, but not every boot told something"),
    ],
)
def test_the_answer_says_by_which_rule(account: Account, said: str) -> None:
    assert answer_sentence(account) == said


def test_boots_that_told_nothing_are_counted_aloud() -> None:
    assert lost_sentence(_account("...")) is None
    assert lost_sentence(_account(".?E.?")) == (
        "3 boots told nothing (1 ERROR, 2 INCONCLUSIVE), and count neither as good nor as bad; the first, boots/0002: "
        "outcome: because"
    )


@pytest.mark.parametrize(
    ("pattern", "status"),
    [
        ("." * 59, ExitStatus.PASSED),
        ("F" * 20, ExitStatus.FAILED),
        ("...", ExitStatus.INCONCLUSIVE),
        ("..E", ExitStatus.INCONCLUSIVE),
        ("EEE", ExitStatus.ERROR),
        ("", ExitStatus.INCONCLUSIVE),
    ],
)
def test_the_exit_status(pattern: str, status: ExitStatus) -> None:
    assert status_of(_account(pattern)) is status


def test_where_nothing_can_run_the_status_says_so() -> None:
    account = count_boots(FIXED, 1, [replace(boot_line(1), status=Status.UNSUPPORTED)])
    assert status_of(account) is ExitStatus.NOTHING_RAN


def test_each_kind_of_failure_has_its_command() -> None:
    (kind,) = _account("..F.F").kinds()
    assert repro_command("results/x", kind) == "svsm-harness repro results/x/0003"
    assert kinds_rows([kind], "results/x")[1] == (
        "2",
        "boots/0003",
        "svsm-harness repro results/x/0003",
        "guest-panic: x",
    )


def test_the_variants_are_counted_each() -> None:
    assert variants_rows(_account("F.?.F."))[1:] == [("2", "2", "1", "s[v=1]"), ("0", "3", "0", "s[v=0]")]
