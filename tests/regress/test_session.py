from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.regress.search import Searcher
from harness.regress.session import conclude
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec
from harness.stats.bisect import AnswerKind

from .model_repository import git
from .simulated import searcher

SPEC = Spec("s.yaml", {}, (), None, (), 0.95, 0.02, None, True)


def test_a_list_ends_in_a_sentence_with_rates(tmp_path: Path) -> None:
    spec = replace(SPEC, list=ListSource("k", tuple("abcdef")))
    found = asyncio.run(conclude(spec, searcher(tmp_path, lambda v: 0.5 if v["k"] >= "d" else 0.0), tmp_path, {}))
    assert found.kind is AnswerKind.FOUND
    assert found.title == "d"
    assert "begins with d" in found.sentences[0]
    assert found.sentences[1].startswith("before: 0 of")


def test_settings_end_in_the_smallest_set(tmp_path: Path) -> None:
    source = SettingSource({"cpu": "max,-a,-b,-c"}, {"cpu": "max"})
    spec = replace(SPEC, setting=source, confidence=0.99)
    found = asyncio.run(conclude(spec, searcher(tmp_path, lambda v: 0.0 if "-b" in v["cpu"] else 0.5), tmp_path, {}))
    assert found.title == "cpu: without -b"
    assert "of 3 differences this alone makes the failure" in found.sentences[0]


def test_a_merge_is_entered_and_the_commit_inside_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")

    def commit(name: str, text: str) -> None:
        (folder / name).write_text(text)
        git(folder, "add", name)
        git(folder, "commit", "--quiet", "-m", f"{name}: {text}")

    for number in range(4):
        commit("trunk", str(number))
    git(folder, "checkout", "--quiet", "-b", "side", "main~2")
    for text in ("one", "two", "BAD", "four"):
        commit("side", f"{text}")
        commit("more", f"{text}")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "merge side", "side")
    for number in range(4, 7):
        commit("trunk", str(number))

    def rate(values: Mapping[str, str]) -> float:
        return 0.5 if "BAD" in Path(values["IMAGE"]).read_text() else 0.0

    build = "mkdir -p out && git log --format=%s HEAD >out/image"
    source = GitSource(str(folder), "main~6", "main", build, "out/image", "IMAGE", 20.0)
    engine: Searcher = searcher(tmp_path, rate)
    found = asyncio.run(conclude(replace(SPEC, git=source), engine, tmp_path / "cache", dict(os.environ)))
    assert found.title is not None
    assert found.title.startswith("Fixes: ")
    assert found.title.endswith('("side: BAD")')
    assert found.git_log is not None and "git bisect bad" in found.git_log
