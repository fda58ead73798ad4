"""Several components at once: first which of them carries the failure, then where in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.regress.components import Component, Inside, search_components
from harness.regress.conclusion import Conclusion
from harness.regress.difference import Difference
from harness.regress.journal import Booted, Concluded, Ended, Entry, Journal, Recorded, Stage, Untestable
from harness.regress.session import conclude
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec
from harness.scenario.model import Platform
from harness.stats.bisect import AnswerKind, Question
from harness.stats.bisect_posterior import Tally

from .model_repository import git
from .simulated import searcher

KERNELS, QEMUS = ListSource("guest.kernel", tuple("abcdef")), ListSource("machine.qemu", tuple("uvwx"))
FLAGS = SettingSource({"machine.cpu": "max,-cx16", "vcpus": "1"}, {"machine.cpu": "max", "vcpus": "2"})
SPEC = Spec("s.yaml", {}, (), None, (), 0.95, 0.02, None, True, lists=(KERNELS, QEMUS), setting=FLAGS)

Rate = Callable[[Mapping[str, str]], float]


def search(spec: Spec, folder: Path, rate: Rate) -> tuple[Conclusion, list[Stage]]:
    folder.mkdir(exist_ok=True)
    engine = searcher(folder, rate)
    found = asyncio.run(conclude(spec, engine, folder / "cache", dict(os.environ)))
    return found, [entry for entry in engine.journal.entries() if isinstance(entry, Stage)]


def _entries(folder: Path) -> list[Entry]:
    return list(Journal(folder / "journal.jsonl").entries())


def old_kernel(values: Mapping[str, str]) -> float:
    return 0.5 if values["guest.kernel"] >= "d" else 0.0


def test_the_component_comes_first_and_then_the_place_in_it(tmp_path: Path) -> None:
    found, stages = search(SPEC, tmp_path, old_kernel)
    assert (found.kind, found.title) == (AnswerKind.FOUND, "guest.kernel: d")
    assert found.sentences[0] == "of 4 components this alone carries the failure: guest.kernel: a → f"
    assert found.sentences[1].startswith("guest.kernel: the failure begins with d (probability")
    assert found.sentences[2].startswith("before: 0 of ")
    assert stages[-1].labels == KERNELS.values
    assert stages[-1].inherited[0].good > 0 and stages[-1].inherited[5].bad >= 2  # neither end is learnt again
    assert 0.95 <= found.probability < 1


def test_all_others_stay_as_they_are_without_the_failure(tmp_path: Path) -> None:
    seen: list[Mapping[str, str]] = []

    def rate(values: Mapping[str, str]) -> float:
        seen.append(values)
        return old_kernel(values)

    search(SPEC, tmp_path, rate)
    assert all(values.keys() == {"guest.kernel", "machine.qemu", "machine.cpu", "vcpus"} for values in seen)
    inside = [values for values in seen if "a" < values["guest.kernel"] < "f"]
    assert inside
    assert all((v["machine.qemu"], v["machine.cpu"], v["vcpus"]) == ("u", "max,-cx16", "1") for v in inside)


def test_two_that_are_needed_together_are_both_searched_beside_the_other(tmp_path: Path) -> None:
    def rate(values: Mapping[str, str]) -> float:
        return 0.6 if values["guest.kernel"] >= "c" and values["machine.qemu"] >= "w" else 0.0

    found, stages = search(replace(SPEC, confidence=0.99), tmp_path, rate)
    assert found.sentences[0].startswith("of 4 components these together carry the failure: ")
    assert found.title is not None and sorted(found.title.split("; ")) == ["guest.kernel: c", "machine.qemu: w"]
    assert [stage.labels for stage in stages[-2:]] in (
        [KERNELS.values, QEMUS.values],
        [QEMUS.values, KERNELS.values],
    )
    assert len({stage.stage for stage in stages}) == len(stages)


def test_a_setting_has_nothing_inside(tmp_path: Path) -> None:
    found, stages = search(SPEC, tmp_path, lambda values: 0.5 if values["machine.cpu"] == "max" else 0.0)
    assert (found.kind, found.title) == (AnswerKind.FOUND, "machine.cpu: without -cx16")
    assert found.sentences[1].startswith("before: 0 of ")
    assert {stage.what for stage in stages} == {"differences of settings"}


@pytest.mark.parametrize(("rate", "kind"), [(0.0, AnswerKind.ABSENT), (0.5, AnswerKind.BEFORE)])
def test_where_no_component_matters_that_is_the_answer(tmp_path: Path, rate: float, kind: AnswerKind) -> None:
    found, _ = search(SPEC, tmp_path, lambda _: rate)
    assert (found.kind, found.title) == (kind, None)


def test_a_search_goes_on_wherever_it_was_cut(tmp_path: Path) -> None:
    spec = replace(SPEC, confidence=0.999)
    found, _ = search(spec, tmp_path / "whole", old_kernel)
    lines = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for number, kept in enumerate(range(1, len(lines), max(1, len(lines) // 7))):
        folder = tmp_path / f"cut{number}"
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:7])
        again, begun = search(spec, folder, old_kernel)
        assert (again.kind, again.title) == (found.kind, found.title)
        assert len({stage.stage for stage in begun}) == len(begun)
    # What has ended is not booted again.
    again, _ = search(spec, tmp_path / "whole", lambda _: pytest.fail("booted again"))
    assert again == found


@pytest.mark.parametrize("culprit", ["commit", "kernel"])
def test_commits_are_a_component_too(tmp_path: Path, culprit: str) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number in range(9):
        (folder / "image").write_text(str(number))
        git(folder, "add", "image")
        git(folder, "commit", "--quiet", "-m", f"change {number}")
    source = GitSource(str(folder), "main~8", "main", "cp image built", "built", "IMAGE", 20.0)

    def rate(values: Mapping[str, str]) -> float:
        number = int(Path(values["IMAGE"]).read_text())
        return 0.5 if (number >= 5 if culprit == "commit" else values["guest.kernel"] >= "d") else 0.0

    found, stages = search(replace(SPEC, git=source, lists=(KERNELS,), setting=None), tmp_path / "run", rate)
    assert found.title is not None and found.kind is AnswerKind.FOUND
    if culprit == "commit":
        assert '("change 0") → ' in found.sentences[0] and found.sentences[0].endswith('("change 8")')
        assert found.title.startswith("Fixes: ") and found.title.endswith('("change 5")')
        assert found.git_log is not None and "change 5" in found.git_log
        assert stages[-1].what == "commits"
    else:
        assert (found.title, found.git_log) == ("guest.kernel: d", None)
    entries = list(Journal(tmp_path / "run" / "journal.jsonl").entries())
    ended = {entry.stage for entry in entries if isinstance(entry, Ended)}
    assert stages[-1].stage in ended
    assert {entry.stage for entry in entries if isinstance(entry, Booted)} <= {stage.stage for stage in stages}


def test_a_group_inside_is_the_answer_of_the_whole(tmp_path: Path) -> None:
    def rate(values: Mapping[str, str]) -> float:
        if values["guest.kernel"] in "bcde":
            return -1.0
        return 0.3 if values["guest.kernel"] == "f" else 0.0

    found, _ = search(SPEC, tmp_path, rate)
    assert (found.kind, found.title) == (AnswerKind.GROUP, "guest.kernel: a → f")
    assert "one of 5, which no boot can tell apart" in found.sentences[1]
    assert found.sentences[-1].startswith("all of this together has a probability of ")


@pytest.mark.parametrize(
    ("insides", "whole"),
    [
        ([AnswerKind.FOUND, AnswerKind.FOUND], AnswerKind.FOUND),
        ([AnswerKind.GROUP, AnswerKind.FOUND], AnswerKind.GROUP),
        ([AnswerKind.FOUND, AnswerKind.GROUP], AnswerKind.GROUP),
        ([AnswerKind.GROUP, AnswerKind.UNDECIDED], AnswerKind.UNDECIDED),
        ([AnswerKind.UNDECIDED], AnswerKind.UNDECIDED),
        ([AnswerKind.FOUND, AnswerKind.BEFORE], AnswerKind.UNDECIDED),
        ([AnswerKind.ABSENT], AnswerKind.UNDECIDED),
    ],
)
def test_the_least_certain_inside_says_what_the_whole_is(
    tmp_path: Path, insides: list[AnswerKind], whole: AnswerKind
) -> None:
    answers, stages = iter(insides), []

    async def within(inside: Inside) -> tuple[Conclusion, int]:
        stages.append(inside.stage)
        kind = next(answers)
        return Conclusion(
            kind, (f"it is {kind}",), 0.99, "x" if kind is AnswerKind.FOUND else None, None
        ), inside.stage + 3

    both = [Component(Difference(key, "0", "1"), within) for key in ("a", "b")]
    engine = searcher(tmp_path, lambda values: 0.6 if values["a"] == values["b"] == "1" else 0.0)
    good, question = {"a": "0", "b": "0"}, Question(2, 0.99)
    found = asyncio.run(search_components(engine, good, both, question, {}))
    assert found.kind is whole
    assert len(stages) == len(insides)  # none is begun beside one that may go on
    assert [later - stages[0] for later in stages] == [0, 3][: len(insides)]
    assert stages[0] > max(entry.stage for entry in _entries(tmp_path) if isinstance(entry, Stage))


def test_more_boots_go_on_where_an_inside_was_left_undecided(tmp_path: Path) -> None:
    few, _ = search(replace(SPEC, max_boots=14), tmp_path, old_kernel)
    assert few.kind is AnswerKind.UNDECIDED
    more, stages = search(replace(SPEC, max_boots=200), tmp_path, old_kernel)
    assert (more.kind, more.title) == (AnswerKind.FOUND, "guest.kernel: d")
    concluded = [entry.answer for entry in _entries(tmp_path) if isinstance(entry, Concluded)]
    assert concluded == [AnswerKind.UNDECIDED, AnswerKind.FOUND]
    assert len({stage.stage for stage in stages}) == len(stages)


def test_a_limit_counts_the_boots_of_a_search_and_not_those_before_it(tmp_path: Path) -> None:
    good = Recorded("good", ("r",), Tally(0, 500), Platform.TCG, {})
    bad = Recorded("bad", ("r",), Tally(250, 250), Platform.TCG, {})
    found, _ = search(replace(SPEC, max_boots=40, recorded=(good, bad)), tmp_path, old_kernel)
    assert (found.kind, found.title) == (AnswerKind.FOUND, "guest.kernel: d")


def test_what_does_not_start_without_the_rest_leaves_it_open_whether_more_is_needed(tmp_path: Path) -> None:
    def rate(values: Mapping[str, str]) -> float:
        if values["machine.qemu"] == "x" and values["guest.kernel"] == "a":
            return -1.0
        return 0.6 if values["machine.qemu"] == "x" else 0.0

    found, _ = search(SPEC, tmp_path, rate)
    assert found.kind is AnswerKind.FOUND
    assert found.sentences[0].startswith("of 4 components these at least carry the failure: machine.qemu: u → x;")
    assert "whether more is needed beside was not decided" in found.sentences[0]
    assert [entry.position for entry in _entries(tmp_path) if isinstance(entry, Untestable)] == [0]
    again, _ = search(SPEC, tmp_path, lambda _: pytest.fail("booted again"))
    assert again == found
