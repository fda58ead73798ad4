from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.build import Builder, BuildFailed, require_build_options
from harness.regress.git_range import Commit, Repository

from .model_repository import git


def _repository(folder: Path, *texts: str) -> tuple[Repository, tuple[Commit, ...]]:
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number, text in enumerate(texts):
        (folder / "source").write_text(text)
        git(folder, "add", "source")
        git(folder, "commit", "--quiet", "--allow-empty", "-m", f"change {number}")
    repository = Repository(folder)
    return repository, repository.commits(f"main~{len(texts) - 1}", "main")


def _builder(repository: Repository, cache: Path, command: str, limit_s: float = 20) -> Builder:
    return Builder(repository, command, "out/image", cache, limit_s, dict(os.environ))


COPY = "mkdir -p out && echo built >>$LOG && cp source out/image"


def test_each_tree_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("LOG", str(log))
    repository, commits = _repository(tmp_path / "repo", "a", "b", "a")
    said: list[str] = []
    builder = replace(_builder(repository, tmp_path / "cache", COPY), say=said.append)
    built = [builder.build(commit) for commit in commits]
    assert [path.path.read_text() for path in built] == ["a", "b", "a"]
    assert built[0].digest == built[2].digest != built[1].digest
    assert log.read_text().count("built") == 2
    # Of the third, which was built before, nothing.
    assert [line.split("built in")[0].split("building;")[0] for line in said] == [
        f"{commit.label}: " for commit in (*commits[:1] * 2, *commits[1:2] * 2)
    ]
    assert (repository.folder / "source").read_text() == "a"


def test_a_program_stays_one_that_can_be_run(tmp_path: Path) -> None:
    repository, commits = _repository(tmp_path / "repo", "a", "b")
    command = "mkdir -p out && install -m 755 source out/image"
    built = _builder(repository, tmp_path / "cache", command).build(commits[0])
    assert os.access(built.path, os.X_OK)


def test_kernels_of_the_same_source_are_alike(tmp_path: Path) -> None:
    repository, commits = _repository(tmp_path / "repo", "a", "b")
    command = "mkdir -p out && echo $KBUILD_BUILD_TIMESTAMP $KBUILD_BUILD_VERSION $KBUILD_BUILD_HOST >out/image"
    builder = _builder(repository, tmp_path / "cache", command)
    assert builder.build(commits[0]).digest == builder.build(commits[1]).digest
    assert builder.build(commits[0]).path.read_text() == "1970-01-01 1 bisect\n"
    own = replace(builder, cache=tmp_path / "own", environment={**os.environ, "KBUILD_BUILD_HOST": "mine"})
    assert own.build(commits[0]).path.read_text() == "1970-01-01 1 mine\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo no compiler >&2; exit 3", "status 3.*no compiler"),
        ("true", "made no out/image"),
        ("read answer && mkdir -p out && cp source out/image", "no standard input"),
    ],
)
def test_a_build_that_fails_says_how(tmp_path: Path, command: str, said: str) -> None:
    repository, commits = _repository(tmp_path / "repo", "a", "b")
    with pytest.raises(BuildFailed, match="(?s)" + said):
        _builder(repository, tmp_path / "cache", command).build(commits[1])


def test_what_an_earlier_commit_built_does_not_pass_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG", "/dev/null")
    repository, commits = _repository(tmp_path / "repo", "a", "b")
    _builder(repository, tmp_path / "cache", COPY).build(commits[0])
    with pytest.raises(BuildFailed):
        _builder(repository, tmp_path / "cache", "true").build(commits[1])


def test_a_build_without_end_is_ended(tmp_path: Path) -> None:
    repository, commits = _repository(tmp_path / "repo", "a", "b")
    with pytest.raises(BuildFailed, match="did not end"):
        _builder(repository, tmp_path / "cache", "sleep 60", limit_s=0.2).build(commits[1])


def test_the_option_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="--artifact"):
        require_build_options("make", None, "IMAGE")
