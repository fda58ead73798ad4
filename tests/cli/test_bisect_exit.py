"""`git bisect run` over a real repository, each answer made of many boots; and the statuses that git relies on."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.regress.model_repository import BUILD, git, make_repository

from .command import BROKEN, Bench, read_boots

SCENARIO = Path(__file__).parents[1] / "regress" / "ap_start.yaml"
EXIT = ("--set", "how=EXIT")
HANG = ("--set", "how=HANG", "--set", "timeout=4s")


@pytest.mark.qemu
@pytest.mark.slow
def test_plain_git_bisect_names_the_commit_that_makes_ap_start_hang_one_time_in_five(
    bench: Bench, program: Path
) -> None:
    repository = bench.folder / "repository"
    repository.mkdir()
    hashes = make_repository(repository, 7, 5, broken=(4,))
    asked = (
        program, "run", SCENARIO, "--set", f"IMAGE={repository}/out/vmpl_model.elf", "--results", bench.results,
        "--bisect-exit", "--boots", "20", "--signature", "AP never came up", "-n", "2",
    )  # fmt: skip
    # As a person does it, and as git-bisect(1) says: what does not build is skipped by the script itself.
    script = f"{BUILD} || exit 125; {shlex.join(map(str, asked))}"
    git(repository, "bisect", "start", hashes[-1], hashes[0])
    done = subprocess.run(
        ["git", "-C", repository, "bisect", "run", "/bin/sh", "-c", script],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    # Commit 4 does not build: git cannot tell it from commit 5, and says both.
    assert f"{hashes[5]} is the first bad commit" in done.stdout or hashes[5] in done.stdout.split("could be any of")[1]
    assert "good: 20 boots without it; a failure of 20% would have shown itself in 98.8% of such answers" in done.stdout
    assert "ended in: " in done.stdout and "AP never came up" in done.stdout


@pytest.mark.qemu
def test_each_answer_has_its_status_and_its_sentence(bench: Bench) -> None:
    good = bench.command(*bench.boot("payload.yaml", *EXIT, "--bisect-exit", "--boots", "3"))
    assert good.status == 0
    assert "good: 3 boots without it; a failure of 50% would have shown itself in 87.5%" in good.out
    turns = [line["identity"]["turn"] for line in read_boots(bench.run)]
    assert sorted(turns) == [1, 2, 3]

    bad = bench.command(*bench.boot("payload.yaml", *HANG, "--bisect-exit", "--boots", "9", parallel=1))
    assert bad.status == 1
    assert bad.out.startswith("bad: boot 1 ended in: ")
    assert len(read_boots(bench.run)) == 1

    other = bench.command(
        *bench.boot("payload.yaml", *HANG, "--bisect-exit", "--boots", "1", "--signature", "AP never came up"),
        "-n", "1", "--format", "json",
    )  # fmt: skip
    assert other.status == 125
    assert (other.json["answer"], other.json["told_nothing"], other.json["good"]) == ("cannot tell", 1, 0)


def test_what_cannot_run_is_skipped_and_what_is_wrong_ends_the_bisection(bench: Bench) -> None:
    path = bench.folder / "s.yaml"
    path.write_text("name: x\nabout: No such machine.\nmachine: {type: virt}\nplatforms: {tcg: {}}\nguest: {}\n")
    done = bench.command("run", path, "--bisect-exit", "--boots", "5")
    assert (done.status, "nothing could run here: x: UNSUPPORTED" in done.out) == (125, True)
    for words in (
        ("run", path, "--bisect-exit", "--boots", "none"),
        ("run", path, "--bisect-exit", "--bots", "5"),
        ("run", path, "--bisect-exit", "--set", "machine.typ=q35"),
        ("run", path, "--bisect-exit", "--dry-run"),
    ):
        done = bench.command(*words)
        assert done.status == 128, done
        assert done.err.startswith("svsm-harness: ")


def test_the_options_of_an_answer_are_no_options_of_a_run(bench: Bench) -> None:
    for words in (("--boots", "5"), ("--signature", "hang")):
        done = bench.command("run", BROKEN / "payload.yaml", *words)
        assert done.status == 2
        assert "svsm-harness stability SCENARIO --boots N" in done.err


@pytest.mark.qemu
def test_a_known_issue_counts_neither_way_unless_it_is_what_is_looked_for(bench: Bench) -> None:
    known = bench.folder / "known.yaml"
    known.write_text(
        '- id: halts\n  signature: "hang: after ready, halted for good"\n  scope: {scenarios: [payload]}\n'
        '  max_rate: 90%\n  expires: "9999-12-31"\n  link: https://example.org/1\n  note: It halts.\n'
    )
    words = bench.boot("payload.yaml", *HANG, "--bisect-exit", "--known", known)
    assert bench.command(*words).status == 125
    assert bench.command(*words, "--signature", "halted for good").status == 1


@pytest.mark.qemu
def test_ctrl_c_ends_the_bisection_and_leaves_nothing(bench: Bench) -> None:
    words = bench.boot("payload.yaml", "--set", "how=HANG", "--set", "timeout=10m", "--bisect-exit", "--boots", "9")
    with bench.start(*words, "--format", "json") as process:
        bench.until(bench.qemu, process)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    assert done.status == 130
    assert json.loads(done.out)["sentence"] == "interrupted after 0 boots"
    bench.until_alone()
