from __future__ import annotations

from pathlib import Path

import pytest

from harness.regress.journal import (
    Booted,
    Ended,
    Entry,
    HostOpened,
    Journal,
    Prepared,
    Stage,
    Switched,
    Untestable,
    known_of,
)
from harness.stats.bisect import AnswerKind, Question
from harness.stats.bisect_posterior import Tally

ENTRIES: list[Entry] = [
    Stage(0, "commits", ("a", "b", "c"), Question(2), {2: Tally(1, 2)}),
    Prepared(0, 1, "d1", 3.5),
    HostOpened("milan", "6.1.0", "EPYC", 8),
    Switched(0, 1, "6.1.0", None, "no notes", 90.5),
    Untestable(0, 1, "does not build"),
    Booted(0, 2, "bad", "hang", "boots/0001", 1.5),
    Booted(0, 2, "other", "panic", "boots/0002", 1.0),
    Ended(0, AnswerKind.FOUND, 2, 2, 0.97),
]


def _written(folder: Path) -> Journal:
    journal = Journal(folder / "journal.jsonl")
    for entry in ENTRIES:
        journal.append(entry)
    return journal


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert list(_written(tmp_path).entries()) == ENTRIES
    assert list(Journal(tmp_path / "none.jsonl").entries()) == []


def test_a_journal_cut_at_any_byte_holds_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    whole = _written(tmp_path).path.read_bytes()
    for length in range(0, len(whole) + 1, 7):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(whole[:length])
        journal = Journal(path)
        held = list(journal.entries())
        assert held == ENTRIES[: len(held)]
        assert len(held) >= whole[:length].count(b"\n")
        more = Booted(0, 0, "good", None, "boots/0009", 1.0)
        journal.append(more)
        assert list(journal.entries()) == [*held, more]


def test_another_versions_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"kind": "dance"}\n')
    with pytest.raises(Exception, match="another version"):
        list(Journal(path).entries())


def test_what_is_known() -> None:
    known = known_of(ENTRIES, 0)
    assert known.at(2) == Tally(2, 2, 1)
    assert known.untestable == {1}
    assert known_of(ENTRIES, 1).tallies == {}


def test_identical_content_acquits_what_lies_between() -> None:
    entries = [
        Prepared(0, 3, "same", 0),
        Prepared(0, 5, "same", 0),
        Prepared(0, 6, "other", 0),
        Prepared(0, 7, None, 0),
    ]
    assert known_of(entries, 0).acquitted == {4, 5}


@pytest.mark.parametrize(
    ("why", "brief"),
    [
        ("there is no file x", "there is no file x"),
        ("the build ended with status 1:\nCC a.o\n  a.c:7: Error: no\nmake: stopped", "{0} a.c:7: Error: no"),
        ("the build ended with status 1:\nCC a.o\nmake: stopped", "{0} make: stopped"),
    ],
)
def test_why_it_cannot_be_tested_fits_a_line(why: str, brief: str) -> None:
    assert Untestable(0, 1, why).brief == brief.format(why.splitlines()[0])
