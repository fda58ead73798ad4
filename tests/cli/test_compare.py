"""`svsm-harness compare`, as a person types it, on the VMPL model: 0.2 s a boot."""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.boot.site import Site

from .command import Bench, Done, read_boots

pytestmark = pytest.mark.qemu

RATED = Path(__file__).parents[1] / "compare" / "rated.yaml"
SETTINGS = ("--scenario", RATED, "good: -", "bad: rate=0.7")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, payloads: Path, site: Site) -> tuple[Bench, Done]:
    bench = Bench(tmp_path_factory.mktemp("compared"), payloads)
    return bench, bench.command("compare", *SETTINGS, "--boots", "10", "-n", "2")


def test_a_plain_sentence_comes_first_and_what_is_worse_fails(compared: tuple[Bench, Done]) -> None:
    bench, done = compared
    paragraphs = done.out.split("\n\n")
    assert paragraphs[1].startswith("bad (rate=0.7) fails more often than good (as it is): ")
    assert "against 0 of 10 boots (0%)" in paragraphs[1]
    assert done.status == 1
    assert done.out.splitlines()[-1] == f"results: results/{bench.run.name}"
    variants = Counter(boot["identity"]["variant"] for boot in read_boots(bench.run))
    assert variants == {"rated[setting=good]": 10, "rated[setting=bad]": 10}


def test_the_record_alone_gives_the_same_answer(compared: tuple[Bench, Done]) -> None:
    bench, done = compared
    again = bench.command("compare", "latest")
    assert again.status == 1
    assert again.out.split("\n\n")[0] == done.out.split("\n\n")[1]
    found = bench.command("compare", "latest", "--format", "json").json["comparisons"][0]
    assert (found["a"]["bad"], found["a"]["told"], found["worse"]) == (0, 10, True)
    named = [f"latest:rated[setting={label}]" for label in ("bad", "good")]
    turned = bench.command("compare", *named, "--format", "json")
    assert turned.status == 0
    rates = turned.json["comparisons"][0]["rates"]
    assert rates["difference"] == pytest.approx(-found["rates"]["difference"])
    assert turned.json["comparisons"][0]["times"][0]["paired"]["pairs"] > 0


def test_two_runs_are_compared_without_a_word_about_times(compared: tuple[Bench, Done]) -> None:
    bench, _ = compared
    for rate in ("0", "1"):
        bench.command("stability", RATED, "--boots", "6", "--set", f"rate={rate}", "-n", "2")
    second, first = sorted((path for path in bench.results.iterdir() if not path.is_symlink()), reverse=True)[:2]
    done = bench.command("compare", first, second)
    assert done.status == 1
    assert "times are described, not tested" in done.out


def test_killed_it_goes_on_and_pairs_stay_pairs(bench: Bench) -> None:
    with bench.start("compare", *SETTINGS, "--boots", "8", "-n", "2") as process:
        bench.until(partial(_has, bench, 5), process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    bench.until_alone()
    assert bench.command("stability", "--resume", bench.run).status == 2
    done = bench.command("compare", "--resume", bench.run, "--format", "json")
    assert sorted(boot["identity"]["turn"] for boot in read_boots(bench.run)) == list(range(1, 17))
    (found,) = done.json["comparisons"]
    assert (found["a"]["told"], found["b"]["told"]) == (8, 8)


def _has(bench: Bench, boots: int) -> bool:
    return len(read_boots(bench.run)) >= boots


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name two recorded runs"),
        (("nothing", "x"), "there is no run nothing"),
        (("--scenario", RATED, "-", "rate=1"), "say how many boots"),
        (("--scenario", RATED, "-", "--boots", "3"), "needs two settings"),
        (("--scenario", RATED, "-", "machine.vcpu=2", "--boots", "3"), "setting B: "),
        (("--scenario", RATED, "-", "nonsense=2", "--boots", "3"), "setting B (nonsense=2)"),
        (("--boots", "3", "a", "b"), "name the --scenario"),
        (("a", "b", "--confidence", "5%"), "at least 50%"),
        (("--resume", "x", "a"), "leave out"),
    ],
)
def test_a_wrong_command_is_answered_with_a_sentence(tmp_path: Path, site: Site, words: Any, said: str) -> None:
    done = Bench(tmp_path, tmp_path).command("compare", *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
