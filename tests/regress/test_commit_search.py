"""Merges are entered, as deep as they go, with what is known from outside and the confidence that was asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.regress.commit_search import boots_of_both_sides
from harness.regress.conclusion import Conclusion
from harness.regress.journal import Booted, Ended, Stage
from harness.regress.search import Searcher
from harness.regress.session import conclude
from harness.regress.spec import GitSource, Spec
from harness.stats.bisect import AnswerKind, Known
from harness.stats.bisect_posterior import Tally
from harness.units import format_rate

from .model_repository import git
from .simulated import searcher

SPEC = Spec("s.yaml", {}, (), None, (), 0.99, 0.02, None, True)
# An image that says which commits are in it.
BUILD = "mkdir -p out && git log --format=%s HEAD >out/image"


class History:
    """Make a repository, commit by commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")

    def commits(self, branch: str, *subjects: str, left: str | None = None) -> None:
        if left is not None:
            git(self.folder, "checkout", "--quiet", "-b", branch, left)
        elif (self.folder / "main").exists():
            git(self.folder, "checkout", "--quiet", branch)
        for subject in subjects:
            (self.folder / branch).write_text(subject)
            git(self.folder, "add", branch)
            git(self.folder, "commit", "--quiet", "-m", subject)

    def merge(self, into: str, *branches: str, evil: bool = False) -> None:
        git(self.folder, "checkout", "--quiet", into)
        subject = f"merge {' and '.join(branches)}{' BAD' if evil else ''}"
        git(self.folder, "merge", "--quiet", "--no-ff", "-m", subject, *branches)


def search(history: History, tmp_path: Path, good: str) -> tuple[Conclusion, Searcher]:
    def rate(values: Mapping[str, str]) -> float:
        return 0.5 if "BAD" in Path(values["IMAGE"]).read_text() else 0.0

    source = GitSource(str(history.folder), good, "main", BUILD, "out/image", "IMAGE", 20.0)
    engine = searcher(tmp_path, rate)
    return asyncio.run(conclude(replace(SPEC, git=source), engine, tmp_path / "cache", dict(os.environ))), engine


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path / "repo")
    history.commits("main", "begin", "one", "two")
    return history


def test_merges_are_entered_as_deep_as_they_go(history: History, tmp_path: Path) -> None:
    history.commits("topic", "topic 1", "topic 2", "topic BAD", "topic 4", left="main~1")
    history.commits("tip", "tip 1", "tip 2", left="main~1")
    history.merge("tip", "topic")
    history.commits("tip", "tip 3")
    history.commits("main", "three")
    history.merge("main", "tip")
    history.commits("main", "four", "five")
    found, engine = search(history, tmp_path, "main~6")
    assert found.title is not None and found.title.startswith("Fixes: ") and found.title.endswith('("topic BAD")')
    assert found.git_log is not None and "git bisect bad" in found.git_log
    entries = list(engine.journal.entries())
    stages = [entry for entry in entries if isinstance(entry, Stage)]
    assert [stage.labels[-1].split("(")[1] for stage in stages] == ['"five")', '"merge tip")', '"merge topic")']
    # What is known of both sides outside is not learnt again inside.
    for stage in stages[1:]:
        good, bad = stage.inherited[0], stage.inherited[stage.question.candidates]
        assert good.bad == 0 < good.good and bad.bad >= 4
    assert not any(
        isinstance(entry, Booted) and entry.stage > 0 and entry.position == stages[entry.stage].question.candidates
        for entry in entries
    )
    # Three answers, each surer than what was asked, so that all of them together are as sure.
    assert all(stage.question.confidence > SPEC.confidence for stage in stages)
    chances = [entry.probability for entry in entries if isinstance(entry, Ended)]
    assert found.probability == pytest.approx(chances[0] * chances[1] * chances[2])
    assert found.probability >= SPEC.confidence
    assert f"probability {format_rate(found.probability)}" in found.sentences[0]


def test_every_branch_of_a_merge_of_several_is_searched(history: History, tmp_path: Path) -> None:
    history.commits("left", "left 1", "left 2", left="main")
    history.commits("right", "right 1", "right BAD", "right 3", left="main")
    git(history.folder, "checkout", "--quiet", "main")
    history.merge("main", "left", "right")
    found, engine = search(history, tmp_path, "main~2")
    assert found.title is not None and found.title.endswith('("right BAD")')
    assert sum(isinstance(entry, Stage) for entry in engine.journal.entries()) == 3
    assert found.probability >= SPEC.confidence


def test_a_merge_that_brings_it_in_by_itself_is_named(history: History, tmp_path: Path) -> None:
    history.commits("side", "side 1", "side 2", left="main")
    history.commits("main", "three")
    history.merge("main", "side", evil=True)
    found, engine = search(history, tmp_path, "main~3")
    assert found.kind is AnswerKind.FOUND
    assert found.title is not None and found.title.endswith('("merge side BAD")')
    assert sum(isinstance(entry, Stage) for entry in engine.journal.entries()) == 2


def test_a_range_without_merges_is_one_search_with_the_confidence_asked_for(history: History, tmp_path: Path) -> None:
    history.commits("main", "three BAD", "four")
    found, engine = search(history, tmp_path, "main~4")
    assert found.title is not None and found.title.endswith('("three BAD")')
    (stage,) = (entry for entry in engine.journal.entries() if isinstance(entry, Stage))
    assert stage.question.confidence == SPEC.confidence


def test_the_boots_of_each_side_are_added_up() -> None:
    known = Known({0: Tally(0, 7, 2), 3: Tally(1, 4), 5: Tally(2, 1, 9), 8: Tally(4, 3)})
    assert boots_of_both_sides(known, 5) == (Tally(1, 11), Tally(6, 4))
