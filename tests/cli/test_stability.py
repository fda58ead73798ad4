"""`svsm-harness stability`, as a person types it, on the VMPL model: 0.2 s a boot, faults by the seed of each boot."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.boot.site import Site

from .command import Bench, Done

pytestmark = pytest.mark.qemu

UNSTABLE = Path(__file__).parents[1] / "stability" / "unstable.yaml"
CLEAN = Path(__file__).parents[2] / "scenarios" / "stability" / "model.yaml"
BOOTS = 24


def _whole_rows(run: Path) -> list[dict[str, Any]]:
    # Those that were not cut.
    rows = []
    for row in (run / "boots.jsonl").read_bytes().split(b"\n"):
        with suppress(ValueError):
            rows.append(json.loads(row))
    return rows


def _has(bench: Bench, boots: int) -> bool:
    return len(_whole_rows(bench.run)) >= boots


def _by_turn(run: Path) -> dict[int, tuple[str, str]]:
    return {boot["identity"]["turn"]: (boot["status"], boot["outcome"]["signature"]) for boot in _whole_rows(run)}


@dataclass(frozen=True)
class Whole:
    bench: Bench
    run: Path
    done: Done


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, payloads: Path, site: Site) -> Whole:
    """Be a campaign that nobody cut short."""
    bench = Bench(tmp_path_factory.mktemp("whole"), payloads)
    done = bench.command("stability", UNSTABLE, "--boots", str(BOOTS), "-n", "2", "--max-failure-rate", "1%")
    return Whole(bench, bench.run, done)


def test_it_says_how_often_it_fails_and_how_to_see_it_again(whole: Whole) -> None:
    run, done = whole.run, whole.done
    statuses = Counter(status for status, _ in _by_turn(run).values())
    bad, good = statuses["FAIL"], statuses["PASS"]
    assert bad + good == BOOTS
    assert bad > 0 < good
    *_, answer, sentence, where = done.out.splitlines()
    assert (done.status, answer.split(":")[0]) == (1, "FAIL on model")
    assert re.fullmatch(
        rf"{bad} of {BOOTS} boots failed: \S+% \(95% interval \S+% to \S+%, exact\), in \d kinds?", sentence
    )
    assert where == f"results: results/{run.name}"
    assert "299 boots without a failure: 24 cannot show it" in done.out
    assert f"svsm-harness stability --resume results/{run.name}" in done.out


def test_every_boot_has_a_seed_of_its_own_and_can_be_made_again(whole: Whole) -> None:
    run, done = whole.run, whole.done
    boots = {boot["identity"]["turn"]: boot for boot in _whole_rows(run)}
    for turn, boot in boots.items():
        record = json.loads((run / boot["folder"] / "boot.json").read_bytes())
        assert record["setting"]["payload"]["seed"] == turn
    command = re.search(r"svsm-harness (repro results/\S+/(\d+))", done.out)
    assert command is not None
    (recorded,) = (boot for boot in boots.values() if boot["folder"] == f"boots/{command[2]}")
    made = whole.bench.command(*command[1].split(), "--format", "json")
    (again,) = made.json["boots"]
    assert made.status == 1
    assert again["outcome"]["signature"] == recorded["outcome"]["signature"]


def test_killed_at_any_moment_it_goes_on_and_counts_every_boot_once(whole: Whole, bench: Bench) -> None:
    begin = ["stability", UNSTABLE, "--boots", str(BOOTS), "-n", "2", "--max-failure-rate", "1%", "--format", "json"]
    words: list[Any] = begin
    for recorded, cut_bytes in ((1, 0), (7, 40), (13, 1)):
        with bench.start(*words) as process:
            bench.until(partial(_has, bench, recorded), process)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        bench.until_alone()
        # As if the machine had died while the last line was written: that boot never counted.
        path = bench.run / "boots.jsonl"
        path.write_bytes(path.read_bytes()[: -cut_bytes or None])
        words = ["stability", "--resume", bench.run, "--format", "json"]
    done = bench.command(*words)
    assert sorted(row["identity"]["turn"] for row in _whole_rows(bench.run)) == list(range(1, BOOTS + 1))
    assert _by_turn(bench.run) == _by_turn(whole.run)
    assert (done.status, done.json["boots"], done.json["interval"]["rule"]) == (1, BOOTS, "exact")
    assert done.json["sentence"] == whole.done.out.splitlines()[-2]
    before = len(list((bench.run / "boots").iterdir()))
    assert bench.command(*words).json["sentence"] == done.json["sentence"]
    assert len(list((bench.run / "boots").iterdir())) == before  # nothing was left to boot


def test_ctrl_c_sums_up_and_says_how_to_go_on(bench: Bench) -> None:
    with bench.start("stability", UNSTABLE, "--boots", "500", "-n", "2") as process:
        bench.until(partial(_has, bench, 3), process)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    bench.until_alone()
    name = bench.run.name
    assert done.status == 130
    assert (
        done.out.splitlines()[-1]
        == f"results: results/{name}; go on with: svsm-harness stability --resume results/{name}"
    )
    assert "anytime-valid" in done.out.splitlines()[-2]


def test_a_good_build_is_soon_known_to_be_one(bench: Bench) -> None:
    words = ("--sequential", "--max-failure-rate", "30%", "--boots", "60", "-n", "2", "--format", "json")
    done = bench.command("stability", CLEAN, *words)
    assert (done.status, done.json["answer"]) == (0, "PASS")
    assert done.json["interval"]["rule"] == "anytime-valid"
    assert 10 <= done.json["boots"] < 60
    variants = Counter(boot["identity"]["variant"] for boot in _whole_rows(bench.run))
    assert max(variants.values()) - min(variants.values()) <= 1


def test_a_failure_that_is_waited_for_ends_it(whole: Whole, bench: Bench) -> None:
    # The seeds are those of the whole campaign, and so is the first failure.
    turn, signature = min((turn, name) for turn, (status, name) in _by_turn(whole.run).items() if status == "FAIL")
    words = ("--boots", "60", "--until", f"1:{signature}", "-n", "1", "--format", "json")
    done = bench.command("stability", UNSTABLE, *words)
    assert done.status == 1
    assert (done.json["boots"], done.json["stopped"]) == (turn, f"failures with {signature!r}: 1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a scenario"),
        ((UNSTABLE,), "say how many boots"),
        ((CLEAN.parent,), "a campaign measures one scenario"),
        ((UNSTABLE, "--resume", "x"), "leave out SCENARIO"),
        (("--resume", "nothing"), "there is no run nothing"),
        ((UNSTABLE, "--boots", "0"), "--boots"),
        ((UNSTABLE, "--boots", "5", "--max-failure-rate", "1"), "no percentage"),
    ],
)
def test_a_wrong_command_is_answered_with_a_sentence(tmp_path: Path, site: Site, words: Any, said: str) -> None:
    done = Bench(tmp_path, tmp_path).command("stability", *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "results").exists()
