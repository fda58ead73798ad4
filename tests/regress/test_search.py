from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HostError, InputError
from harness.regress.host_kernel import HostDown, Installed
from harness.regress.journal import Booted, Ended, Prepared, Stage, Switched, Untestable, ended_of
from harness.regress.search import Result, Searcher, Standing, learn_costs
from harness.regress.span import CannotTest, Place, Span, list_span
from harness.stats.bisect import AnswerKind, Question
from harness.stats.bisect_posterior import Tally

from .simulated import searcher

SPAN = list_span("n", [str(number) for number in range(17)])


def _rate(values: Mapping[str, str]) -> float:
    return 0.3 if int(values["n"]) >= 11 else 0.0


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_value_where_it_begins_is_found(tmp_path: Path, parallel: int) -> None:
    result = asyncio.run(searcher(tmp_path, _rate, parallel).search(0, SPAN, Question(16), {}))
    assert result.answer.kind is AnswerKind.FOUND
    assert result.answer.group is not None and result.answer.group.first == 11


def test_what_ended_undecided_goes_on_with_more_boots(tmp_path: Path) -> None:
    def search(most: int | None) -> Result:
        return asyncio.run(searcher(tmp_path, _rate, 3).search(0, SPAN, Question(16, max_boots=most), {}))

    for most in (9, 9, 15):
        result = search(most)
        assert (result.answer.kind, result.known.boots) == (AnswerKind.UNDECIDED, most)
    assert search(None).answer.kind is AnswerKind.FOUND
    entries = list(searcher(tmp_path, _rate).journal.entries())
    assert [entry.answer for entry in entries if isinstance(entry, Ended)] == ["undecided", "undecided", "found"]
    last = ended_of(entries, 0)
    assert last is not None and last.first == 11
    assert ended_of(entries, 1) is None


def test_what_is_under_way_is_shown_boot_by_boot(tmp_path: Path) -> None:
    engine = searcher(tmp_path, _rate)
    seen: list[Standing] = []
    engine.show = seen.append
    result = asyncio.run(engine.search(0, SPAN, Question(16), {}))
    assert seen[0] == Standing("16", Tally(), booting=False)  # the bad end comes first
    assert (seen[1].label, seen[1].tally, seen[1].booting) == ("16", Tally(), True)
    told = [one for one in seen if one.booting and one.tally.told > 0]
    last = {one.label: one.tally for one in told}
    assert last == {SPAN.labels[at]: tally for at, tally in result.known.tallies.items()}
    # A line for every boot: each count is there, from the first on.
    for label, tally in last.items():
        assert {one.tally.told for one in told if one.label == label} == set(range(1, tally.told + 1))
    # Each position is made ready once, and what is left to decide is said while it boots.
    ready = [one.label for one in seen if not one.booting]
    assert len(ready) == len(set(ready)) == len(last)
    assert all(one.left_bits is not None for one in told)


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
    switched = [Switched(0, 3, "6.1", None, "", took_s) for took_s in (100.0, 140.0, 0.0)]
    assert learn_costs([*entries, *switched], 0, 300.0, 3, builds=True).switch_s == 120.0
    assert learn_costs([*entries, *switched], 0, 0.0, 3, builds=True).switch_s == 0.0


@dataclass
class Kernels:
    """A host that is switched; ``broken`` kernels do not come up, ``down`` ones take it down."""

    broken: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    lost: bool = False
    runs: str = ""
    asked: list[str] = field(default_factory=list)

    async def install(self, values: Mapping[str, str]) -> Installed | None:
        wanted = values["host.kernel"]
        if wanted == self.runs:
            return None
        self.asked.append(wanted)
        self.runs = ""
        if wanted in self.down:
            raise HostDown("it stays down")
        if wanted in self.broken:
            raise CannotTest(f"{wanted} did not come up")
        self.runs = wanted
        return Installed(f"6.{wanted}", "ab", "", 90.0)

    async def check(self) -> None:
        if self.lost:
            raise HostError("it is lost")

    def at_once(self, wanted: int) -> int:
        return 1


KERNELS = list_span("host.kernel", [str(number) for number in range(17)])


def _on(kernels: Kernels, tmp_path: Path, broken_boots: bool = False) -> Searcher:
    def rate(values: Mapping[str, str]) -> float:
        assert values["host.kernel"] == kernels.runs
        return -1.0 if broken_boots else 0.6 if int(kernels.runs) >= 11 else 0.0

    made = searcher(tmp_path, rate, parallel=4)
    made.host, made.switch_s = kernels, 300.0
    return made


def test_host_kernels_are_switched_seldom_and_each_switch_is_recorded(tmp_path: Path) -> None:
    kernels = Kernels()
    engine = _on(kernels, tmp_path)
    result = asyncio.run(engine.search(0, KERNELS, Question(16), {}))
    assert result.answer.group is not None and result.answer.group.first == 11
    switched = [entry for entry in engine.journal.entries() if isinstance(entry, Switched)]
    assert [f"{entry.position}" for entry in switched] == kernels.asked
    assert {(entry.build_id, entry.took_s) for entry in switched} == {("ab", 90.0)}
    boots = sum(isinstance(entry, Booted) for entry in engine.journal.entries())
    assert len(kernels.asked) < boots / 2


def test_a_host_kernel_that_does_not_come_up_is_untestable_and_not_acquitted(tmp_path: Path) -> None:
    kernels = Kernels(broken=("10",))
    result = asyncio.run(_on(kernels, tmp_path).search(0, KERNELS, Question(16), {}))
    assert result.answer.kind is AnswerKind.GROUP and result.answer.group is not None
    assert (result.answer.group.first, result.answer.group.last) == (10, 11)
    assert kernels.runs


def test_a_host_that_stays_down_ends_it_and_who_goes_on_does_not_boot_that_kernel_again(tmp_path: Path) -> None:
    kernels = Kernels(down=("10",))
    with pytest.raises(HostDown, match="it stays down"):
        asyncio.run(_on(kernels, tmp_path).search(0, KERNELS, Question(16), {}))
    engine = _on(Kernels(), tmp_path)
    assert [entry.position for entry in engine.journal.entries() if isinstance(entry, Untestable)] == [10]
    result = asyncio.run(engine.search(0, KERNELS, Question(16), {}))
    assert result.answer.group is not None and (result.answer.group.first, result.answer.group.last) == (10, 11)
    assert isinstance(engine.host, Kernels) and "10" not in engine.host.asked


@pytest.mark.parametrize(
    ("kernels", "error"), [(Kernels(broken=("16",)), InputError), (Kernels(down=("16",)), HostDown)]
)
def test_an_end_whose_kernel_does_not_come_up_is_no_verdict_on_it(
    tmp_path: Path, kernels: Kernels, error: type[Exception]
) -> None:
    engine = _on(kernels, tmp_path)
    with pytest.raises(error):
        asyncio.run(engine.search(0, KERNELS, Question(16), {}))
    assert not any(isinstance(entry, Untestable) for entry in engine.journal.entries())


def test_boots_that_tell_nothing_on_a_lost_host_are_no_fault_of_the_position(tmp_path: Path) -> None:
    engine = _on(Kernels(lost=True), tmp_path, broken_boots=True)
    with pytest.raises(HostError, match="it is lost"):
        asyncio.run(engine.search(0, KERNELS, Question(16), {}))
    assert not any(isinstance(entry, Untestable) for entry in engine.journal.entries())


def test_a_position_that_tells_nothing_any_more_ends_it(tmp_path: Path) -> None:
    told: list[str] = []

    def rate(values: Mapping[str, str]) -> float:
        told.append(values["n"])
        return _rate(values) if len(told) < 3 else -1.0

    with pytest.raises(HostError, match="the last 20 did not, such as panic; look after the host"):
        asyncio.run(searcher(tmp_path, rate).search(0, SPAN, Question(16), {}))


def test_positions_with_the_same_host_kernel_cost_no_switch() -> None:
    labels = tuple("abcd")
    span = Span("x", labels, labels[1:], lambda at: Place({"host.kernel": "k"}, None, 0.0), ("k", "k", "l", "l"))
    engine = searcher(Path("/none"), _rate)
    engine.switch_s = 300.0
    costs = engine._costs([], 0, span, 1)
    assert list(costs.to_reach(np.arange(4))) == [0.0, 0.0, 300.0, 300.0]
    assert engine._costs([], 0, list_span("guest.kernel", labels), 1).switch_s == 0.0
