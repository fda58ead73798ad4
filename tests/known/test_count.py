from __future__ import annotations

from sample_campaign import boot_line, lines_of

from harness.checks.base import Status
from harness.known.count import KnownCount, count_known
from harness.known.match import features_of
from harness.results.record import BootLine
from harness.stats.binomial import lower_bound

from .sample_issues import issue


def _count(lines: list[BootLine], max_rate: float, watched: bool = False) -> KnownCount:
    return count_known(lines, lambda line: features_of(line, None), [issue(max_rate=max_rate)], watched=watched)


def test_known_failures_within_their_rate_are_excused_and_counted() -> None:
    lines = lines_of("F..F......?")
    found = _count(lines, 0.5)
    (count,) = found.issues
    assert (count.bad, count.told, count.worse) == (2, 10, False)
    assert [found.excuses(line) for line in lines[:4]] == [True, False, False, True]
    assert str(count).startswith("known issue panic-x: 2 of 10 boots, accepted up to 50% until 2027-01-31")


def test_a_worse_rate_is_not_hidden() -> None:
    lines = lines_of("FFFFFF....")
    found = _count(lines, 0.1)
    assert lower_bound(6, 10, 0.95) > 0.1
    assert (found.worse, found.of_boot) == (found.issues, {})
    assert "WORSE" in str(found.issues[0])


def test_the_rate_must_be_shown_to_be_worse() -> None:
    # 3 of 20 is more than 10%, and would happen in one of three campaigns at 10%.
    assert not _count(lines_of("FFF" + "." * 17), 0.1).worse
    assert _count(lines_of("F" * 6 + "." * 14), 0.1).worse


def test_watched_boots_are_tested_with_an_interval_that_allows_for_it() -> None:
    lines = lines_of("F" * 6 + "." * 16)
    assert _count(lines, 0.11).worse
    assert not _count(lines, 0.11, watched=True).worse


def test_another_signature_stays_as_it_is() -> None:
    lines = [boot_line(1, Status.FAIL), boot_line(2, Status.FAIL, "hang: idle"), boot_line(3)]
    found = _count(lines, 0.5)
    assert [found.excuses(line) for line in lines] == [True, False, False]
    assert found.issues[0].bad == 1


def test_an_entry_that_is_about_none_of_the_boots_says_nothing() -> None:
    assert _count([], 0.5).issues == ()
