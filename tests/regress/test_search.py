from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.journal import Booted, Ended, Prepared, Stage
from harness.regress.search import Searcher, learn_costs
from harness.regress.span import list_span
from harness.stats.bisect import AnswerKind, Question

from .simulated import searcher

SPAN = list_span("n", [str(number) for number in range(17)])


def _rate(values: Mapping[str, str]) -> float:
    return 0.3 if int(values["n"]) >= 11 else 0.0


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_value_where_it_begins_is_found(tmp_path: Path, parallel: int) -> None:
    result = asyncio.run(searcher(tmp_path, _rate, parallel).search(0, SPAN, Question(16), {}))
    assert result.answer.kind is AnswerKind.FOUND
    assert result.answer.group is not None and result.answer.group.first == 11


def test_what_is_recorded_is_not_booted_again(tmp_path: Path) -> None:
    first = searcher(tmp_path, _rate)
    result = asyncio.run(first.search(0, SPAN, Question(16), {}))
    whole = first.journal.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    first.journal.path.write_bytes(b"".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:9])
    again = asyncio.run(searcher(tmp_path, _rate).search(0, SPAN, Question(16), {}))
    assert again.answer.group is not None and result.answer.group is not None
    assert again.answer.group.first == 11
    assert sum(isinstance(entry, Ended) for entry in first.journal.entries()) == 1


def test_what_ends_in_another_way_is_untestable_and_not_acquitted(tmp_path: Path) -> None:
    def rate(values: Mapping[str, str]) -> float:
        return -1.0 if int(values["n"]) in (9, 10) else _rate(values)

    result = asyncio.run(searcher(tmp_path, rate).search(0, SPAN, Question(16), {}))
    assert result.answer.kind is AnswerKind.GROUP
    assert result.answer.group is not None
    assert (result.answer.group.first, result.answer.group.last) == (9, 11)


def test_an_end_that_cannot_be_tested_is_refused_and_the_journal_stays(tmp_path: Path) -> None:
    broken = searcher(tmp_path, lambda values: -1.0)
    with pytest.raises(InputError, match="bad end, 16, cannot be tested"):
        asyncio.run(broken.search(0, SPAN, Question(16), {}))
    assert any(isinstance(entry, Booted) for entry in broken.journal.entries())


def test_another_search_in_the_same_journal_is_refused(tmp_path: Path) -> None:
    one: Searcher = searcher(tmp_path, _rate)
    asyncio.run(one.search(0, SPAN, Question(16), {}))
    with pytest.raises(InputError, match="start a new one"):
        asyncio.run(one.search(0, list_span("n", ["0", "1"]), Question(1), {}))


def test_costs_are_learnt() -> None:
    entries = [
        Stage(0, "", (), Question(4), {}),
        Prepared(0, 3, None, 90.0),
        Booted(0, 3, "good", None, None, 4.0),
        Booted(0, 3, "bad", "hang", None, 60.0),
        Booted(0, 3, "other", "x", None, 999.0),
    ]
    costs = learn_costs(list(entries), 0, 300.0, 3, builds=True)
    assert (costs.boot_s, costs.failed_boot_s, costs.switch_s, costs.build_s) == (4.0, 60.0, 300.0, 90.0)
    assert costs.built == {3}
