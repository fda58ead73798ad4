from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.git_range import Repository

from .model_repository import git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for number in range(4):
        (tmp_path / "file").write_text(str(number))
        git(tmp_path, "add", "file")
        git(tmp_path, "commit", "--quiet", "-m", f"change {number}")
    git(tmp_path, "checkout", "--quiet", "-b", "side", "main~1")
    for number in range(2):
        (tmp_path / "beside").write_text(str(number))
        git(tmp_path, "add", "beside")
        git(tmp_path, "commit", "--quiet", "-m", f"side {number}")
    git(tmp_path, "checkout", "--quiet", "main")
    git(tmp_path, "merge", "--quiet", "--no-ff", "-m", "merge side", "side")
    return Repository(tmp_path)


def test_a_range_goes_by_first_parents(repository: Repository) -> None:
    commits = repository.commits("main~3", "main")
    assert [commit.subject for commit in commits] == ["change 1", "change 2", "change 3", "merge side"]
    assert commits[1].label == f'{commits[1].hash[:12]} ("change 2")'


def test_inside_a_merge_are_its_branchs_commits_and_itself(repository: Repository) -> None:
    (inside,) = repository.inside("main")
    assert [commit.subject for commit in inside] == ["change 2", "side 0", "side 1", "merge side"]
    assert repository.inside("main~1") == ()


def test_each_branch_of_a_merge_of_several_is_one(repository: Repository) -> None:
    folder = repository.folder
    for name in ("left", "right"):
        git(folder, "checkout", "--quiet", "-b", name, "main~1")
        (folder / name).write_text(name)
        git(folder, "add", name)
        git(folder, "commit", "--quiet", "-m", f"the {name} one")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "merge both", "left", "right")
    inside = [[commit.subject for commit in branch] for branch in repository.inside("main")]
    assert inside == [["change 3", "the left one", "merge both"], ["change 3", "the right one", "merge both"]]


def test_a_history_of_its_own_cannot_be_entered(repository: Repository) -> None:
    folder = repository.folder
    git(folder, "checkout", "--quiet", "--orphan", "driver")
    git(folder, "commit", "--quiet", "-m", "import a driver")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-s", "ours", "--allow-unrelated-histories", "-m", "merge it", "driver")
    assert repository.inside("main") == ()


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [("main", "main", "no commits from main to main"), ("main", "main~2", "swap them"), ("nowhere", "main", "nowhere")],
)
def test_what_is_no_range_is_refused(repository: Repository, good: str, bad: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        repository.commits(good, bad)


def test_a_dirty_tree_is_refused(repository: Repository) -> None:
    repository.require_clean()
    (repository.folder / "file").write_text("changed")
    with pytest.raises(InputError, match="not committed"):
        repository.require_clean()


def test_git_itself_takes_the_log(repository: Repository) -> None:
    commits = repository.commits("main~3", "main")
    log = repository.bisect_log([("bad", commits[-1]), ("good", commits[0]), ("skip", commits[1])])
    (repository.folder / "log").write_text(log)
    said = repository.git("bisect", "replay", "log")
    assert "Bisecting" in said
