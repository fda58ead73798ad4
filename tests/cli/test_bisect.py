"""The command as a person runs it, with real boots."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.regress.model_repository import BUILD, git, make_repository

from .command import Bench, Done

SCENARIO = Path(__file__).parents[1] / "regress" / "ap_start.yaml"


def _words(repository: Path, good: str, bad: str, build: str = BUILD) -> tuple[str | Path, ...]:
    return (
        "bisect", SCENARIO, "--git", repository, "--good", good, "--bad", bad, "--build", build,
        "--artifact", "out/vmpl_model.elf", "--into", "IMAGE", "--signature", "AP never came up", "-n", "2",
    )  # fmt: skip


def _repository(bench: Bench, commits: int, culprit: int, broken: tuple[int, ...] = ()) -> tuple[Path, list[str]]:
    folder = bench.folder / "repository"
    folder.mkdir()
    bench.environment = {"XDG_CACHE_HOME": str(bench.folder / "cache")}
    return folder, make_repository(folder, commits, culprit, broken)


@pytest.mark.qemu
@pytest.mark.slow
def test_the_commit_that_makes_ap_start_hang_one_time_in_five_is_named(bench: Bench) -> None:
    repository, hashes = _repository(bench, 16, 11)
    words = (*_words(repository, hashes[0], hashes[-1]), "--confidence", "99%")
    with bench.start(*words) as process:
        journal = bench.until(lambda: next(bench.results.glob("2*/journal.jsonl"), None), process)
        bench.until(lambda: journal.read_bytes().count(b'"boot"') >= 20, process, limit_s=120)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    before = journal.read_bytes()
    done = bench.command("bisect", "--resume", "latest", "-n", "2", limit_s=300)
    assert done.status == 0, done
    assert f'Fixes: {hashes[11][:12]} ("vmpl_model: change number 11")' in done.out
    assert journal.read_bytes().startswith(before.rpartition(b"\n")[0])
    replayed = bench.command("bisect", "--replay", "latest", "--plot", "narrowed.svg")
    assert replayed.status == 0, replayed
    assert f"begins with {hashes[11][:12]}" in replayed.out
    assert (bench.folder / "narrowed.svg").exists()
    assert "AP never came up" in (bench.run / "proof.txt").read_text()
    assert (bench.run / "mail.txt").read_text().startswith("Fixes: ")
    git(repository, "bisect", "replay", str(bench.run / "git-bisect.log"))


@pytest.mark.qemu
@pytest.mark.slow
def test_commits_that_do_not_build_are_not_acquitted(bench: Bench) -> None:
    repository, hashes = _repository(bench, 12, 7, broken=(6, 7, 8))
    done = bench.command(*_words(repository, hashes[0], hashes[-1]), limit_s=300)
    assert done.status == 0, done
    assert "one of 4, which no boot can tell apart" in done.out
    for number in (6, 7, 8, 9):
        assert hashes[number][:12] in done.out.split("one of 4")[1]


@pytest.mark.qemu
@pytest.mark.slow
def test_the_commit_is_found_inside_the_component_that_carries_the_failure(bench: Bench) -> None:
    folder = bench.folder / "repository"
    folder.mkdir()
    bench.environment = {"XDG_CACHE_HOME": str(bench.folder / "cache")}
    hashes = make_repository(folder, 6, 4, rate=0.7)
    words = (
        "--list",
        "machine.memory=64M,96M,128M",
        "--good-set",
        "machine.cpu=max,-avx",
        "--bad-set",
        "machine.cpu=max",
    )
    done = bench.command(*_words(folder, hashes[0], hashes[-1]), *words, "--confidence", "99.9%", limit_s=300)
    assert done.status == 0, done
    assert f"of 3 components this alone carries the failure: IMAGE: {hashes[0][:12]}" in done.out
    assert f'Fixes: {hashes[4][:12]} ("vmpl_model: change number 4")' in done.out
    replayed = bench.command("bisect", "--replay", "latest")
    assert replayed.status == 0, replayed
    assert f"begins with {hashes[4][:12]}" in replayed.out
    git(folder, "bisect", "replay", str(bench.run / "git-bisect.log"))


@pytest.mark.parametrize("case", ["swapped", "empty", "dirty", "asks"])
def test_bad_input_ends_with_a_clear_sentence(bench: Bench, case: str) -> None:
    repository, hashes = _repository(bench, 2, 1)
    good, bad = (hashes[-1], hashes[0]) if case == "swapped" else (hashes[0], hashes[-1])
    if case == "empty":
        good = bad
    if case == "dirty":
        (repository / "vmpl_model" / "main.c").write_text("")
    build = "read -r answer && make" if case == "asks" else BUILD
    done: Done = bench.command(*_words(repository, good, bad, build))
    said = {
        "swapped": "swap them",
        "empty": "no commits",
        "dirty": "not committed",
        "asks": "no standard input to ask on",
    }
    assert done.status == 2
    assert said[case] in done.err
    assert bench.results.exists() == (case == "asks")  # what is known beforehand leaves no run behind
    if case == "asks":
        assert "the journal is kept" in done.err
        assert (bench.run / "journal.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bisect",), "name a scenario"),
        (("bisect", SCENARIO), "name what to search: --git, --list, or"),
        (("bisect", SCENARIO, "--list", "IMAGE=a,b", "--list", "IMAGE=c,d"), "IMAGE is searched twice"),
        (("bisect", SCENARIO, "--list", "IMAGE=one"), "at least two values"),
        (("bisect", SCENARIO, "--good-set", "a=1", "--bad-set", "b=1"), "one side only"),
        (("bisect", SCENARIO, "--list", "IMAGE=a,b", "--confidence", "100%"), "below 100%"),
        (("bisect", "--replay", "latest"), "no run latest"),
        (("bisect", "none.yaml", "--list", "x=a,b"), "none.yaml: cannot be read"),
        (("bisect", SCENARIO, "--list", "IMAGE=/none,b"), "--list: there is no /none"),
        (("bisect", SCENARIO, "--list", "IMAGE=a,b", "--host", "nowhere"), "--host nowhere"),
        (("bisect", SCENARIO, "--list", "host.kernel=a,b"), "this machine cannot reboot under its own bisection"),
        (("bisect", SCENARIO, "--list", "host.kernel=a,b", "--host", "virtual", "--set", "IMAGE=x"), "is a release"),
    ],
)
def test_what_is_missing_is_said(bench: Bench, words: tuple[str | Path, ...], said: str) -> None:
    done = bench.command(*words)
    assert done.status == 2
    assert said in done.err
    assert not bench.results.exists()
