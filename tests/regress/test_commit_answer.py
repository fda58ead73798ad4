"""What N boots tell git of a commit: scripted boots, no machine."""

from __future__ import annotations

import asyncio

import pytest

from harness.errors import HostError
from harness.regress.commit_answer import CommitBoots, CommitWord, ask_boots, shown_rate

GOOD, BAD, TOLD = CommitWord.GOOD, CommitWord.BAD, CommitWord.CANNOT_TELL


def _asked(boots: int, *scripts: str, parallel: int = 1) -> CommitBoots:
    # A script for each variant: g, b and o are how each of its boots counts; from its end on all are good.
    account = CommitBoots(boots, len(scripts))
    words = {"g": "good", "b": "bad", "o": "other"}
    left = [list(script) for script in scripts]

    async def boot(place: int, number: int) -> tuple[str, str]:
        letter = left[place].pop(0) if left[place] else "g"
        await asyncio.sleep(0)
        return words[letter], f"boot {number} of variant {place}"

    asyncio.run(ask_boots(account, boot, parallel))
    return account


@pytest.mark.parametrize(
    ("boots", "script", "word", "made"),
    [
        (1, "g", GOOD, 1),
        (1, "b", BAD, 1),
        (1, "o", TOLD, 1),
        (30, "", GOOD, 30),
        (30, "ggggb", BAD, 5),
        (30, "ogogo", GOOD, 33),
        (30, "ooooo", TOLD, 5),
        (30, "oooogoooo", GOOD, 38),
        (30, "oooob", BAD, 5),
        (4, "ogogogog", TOLD, 7),
    ],
)
def test_the_first_failure_is_bad_and_what_told_nothing_counts_neither_way(
    boots: int, script: str, word: CommitWord, made: int
) -> None:
    account = _asked(boots, script)
    assert (account.word, account.made) == (word, made)


@pytest.mark.parametrize("parallel", [1, 2, 3, 8])
def test_no_boot_begins_after_a_failure_and_none_too_many(parallel: int) -> None:
    assert _asked(10, "", parallel=parallel).made == 10
    assert _asked(10, "gggoogo", parallel=parallel).made == 13
    failed = _asked(10, "ggb", parallel=parallel)
    assert failed.word is BAD
    assert 3 <= failed.made <= 2 + parallel
    assert failed.good == failed.made - 1


def test_variants_take_turns_and_one_that_cannot_be_tested_hides_no_failure_of_another() -> None:
    given_up = _asked(8, "ooooo", "")
    assert (given_up.word, given_up.good, given_up.nothing) == (TOLD, 8, 5)
    assert _asked(8, "ooooo", "gggggggb").word is BAD
    both = _asked(8, "", "")
    assert (both.word, both.good) == (GOOD, 16)
    assert _asked(8, "gb", "").made == 3


@pytest.mark.parametrize(
    ("boots", "rate", "share"), [(30, 0.1, 0.958), (1, 0.5, 0.5), (4, 0.5, 0.938), (5, 0.5, 0.969), (299, 0.01, 0.95)]
)
def test_the_rate_that_is_spoken_of_shows_itself_in_most_answers(boots: int, rate: float, share: float) -> None:
    shown = shown_rate(boots)
    assert shown[0] == rate
    assert shown[1] == pytest.approx(share, abs=0.001)


def test_an_answer_says_what_it_is_worth() -> None:
    assert _asked(30, "").sentence() == (
        "good: 30 boots without it; a failure of 10% would have shown itself in 95.8% of such answers"
    )
    assert _asked(30, "gog").sentence().endswith("; 1 more told nothing, such as boot 2 of variant 0")
    assert "of each of 2 variants" in _asked(30, "", "").sentence()
    assert _asked(30, "gb").sentence().startswith("bad: boot 2 of variant 0; right as far as")
    assert _asked(3, "goo").sentence().startswith("good: 3 boots")
    assert _asked(3, "gooo").sentence() == (
        "cannot tell: 1 of 3 boots were good and none failed; 3 more told nothing, such as boot 4 of variant 0"
    )


def test_nothing_that_can_run_tells_nothing() -> None:
    account = CommitBoots(5, 0, last_nothing="x: UNSUPPORTED: no such machine")
    asyncio.run(ask_boots(account, lambda place, number: pytest.fail("booted"), 2))
    assert account.word is TOLD
    assert account.sentence() == "cannot tell: nothing could run here: x: UNSUPPORTED: no such machine"


def test_a_lost_host_is_said_as_itself() -> None:
    async def boot(place: int, number: int) -> tuple[str, str]:
        raise HostError("the disk is full")

    with pytest.raises(HostError, match="disk is full"):
        asyncio.run(ask_boots(CommitBoots(3), boot, 2))
