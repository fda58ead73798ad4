"""Guests that are broken on purpose: each ends as what it is, with a reason and with the evidence for it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.boot.site import Site

from .command import Bench, Done

pytestmark = pytest.mark.qemu


@dataclass(frozen=True)
class Bad:
    kind: str
    phase: str
    signature: str
    reason: str
    state: bool


OUTCOMES = {
    "linux[how=panic]": Bad(
        "guest-panic", "init", "Attempted to kill init", "guest-panic: Kernel panic - not syncing", state=False
    ),
    "linux[how=sysrq_crash]": Bad("guest-panic", "init", "sysrq triggered crash", "sysrq triggered crash", state=False),
    "linux[how=reboot_loop]": Bad(
        "guest-reset", "init", "guest-reset in init", "the guest asked for guest-reset", state=False
    ),
    "linux[how=spin]": Bad("hang", "init", "hang: after init", "the last milestone, init, was at", state=True),
    "ssh-silent": Bad("hang", "ready", "hang: after ready", "the last milestone, ready, was at", state=True),
}


@dataclass(frozen=True)
class Recorded:
    done: Done
    bench: Bench

    def line(self, variant: str) -> dict[str, Any]:
        (line,) = (line for line in self.done.json["boots"] if line["identity"]["variant"] == variant)
        return dict(line)

    def folder(self, variant: str) -> Path:
        return Path(self.bench.folder, self.done.json["results"], self.line(variant)["folder"])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, payloads: Path, site: Site) -> Recorded:
    bench = Bench(tmp_path_factory.mktemp("broken"), payloads)
    words = [*bench.boot("linux.yaml"), bench.boot("ssh-silent.yaml")[1], "--format", "json"]
    return Recorded(bench.command(*words), bench)


def test_all_fail_and_nothing_is_left(recorded: Recorded) -> None:
    assert recorded.done.status == 1
    assert recorded.done.json["counts"]["FAIL"] == len(recorded.done.json["boots"]) == len(OUTCOMES)
    recorded.bench.until_alone()


@pytest.mark.parametrize("variant", OUTCOMES)
def test_the_outcome_is_the_right_one(recorded: Recorded, variant: str) -> None:
    line, bad = recorded.line(variant), OUTCOMES[variant]
    outcome = line["outcome"]
    assert (outcome["kind"], outcome["phase"]) == (bad.kind, bad.phase)
    assert bad.signature in outcome["signature"]
    assert line["status"] == "FAIL"
    assert line["reason"].startswith("outcome: ") and bad.reason in line["reason"]


@pytest.mark.parametrize("variant", OUTCOMES)
def test_the_evidence_is_there(recorded: Recorded, variant: str) -> None:
    folder, bad = recorded.folder(variant), OUTCOMES[variant]
    record = json.loads((folder / "boot.json").read_text())
    assert record["losses"] == []
    assert (folder / "console.log").stat().st_size == record["received_bytes"]["console"] > 10_000
    events = [json.loads(line) for line in (folder / "qmp.jsonl").read_text().splitlines()]
    assert any("event" in entry for entry in events)
    assert (folder / "qemu.sh").read_text().startswith("#!/bin/sh")
    assert (folder / "state.json").exists() is (folder / "vitals.json").exists() is bad.state
    said = [json.loads(line) for line in (folder / "flight.jsonl").read_text().splitlines()]
    assert {key for entry in said for key in entry} >= {"look", "console", "qmp"}


def test_a_hang_is_collected_from_before_its_time_is_up(recorded: Recorded) -> None:
    for variant in ("linux[how=spin]", "ssh-silent"):
        assert recorded.line(variant)["duration_s"] < 25
        state = json.loads((recorded.folder(variant) / "state.json").read_text())
        assert state["query-status"]["status"] == "running"
        assert any("RIP=" in line for line in state["info registers -a"])
        assert state["at_s"] < 25
    hangs = {variant: recorded.line(variant)["outcome"]["hang"] for variant in OUTCOMES}
    assert {variant: hang["kind"] for variant, hang in hangs.items() if hang} == {
        "linux[how=spin]": "spin",
        "ssh-silent": "ssh-dead",
    }


def test_a_panic_ends_the_boot_at_once(recorded: Recorded) -> None:
    assert recorded.line("linux[how=panic]")["duration_s"] < 20


def test_replaying_the_record_gives_the_same_verdicts(recorded: Recorded) -> None:
    done = recorded.bench.command("replay")
    assert (done.status, done.out.splitlines()[-1]) == (0, f"{len(OUTCOMES)} boots judged again, 0 different")


def test_replay_notices_a_record_that_was_changed(recorded: Recorded, tmp_path: Path) -> None:
    path = recorded.folder("linux[how=panic]") / "console.log"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b"Kernel panic", b"Kernel picnic"))
        done = recorded.bench.command("replay")
        assert done.status == 1 and "DIFFERENT" in done.out
        path.write_bytes(before[:-100])  # a log that was cut is a loss of evidence, not another outcome
        done = recorded.bench.command("replay")
        assert done.status == 1 and "INCONCLUSIVE" in done.out
    finally:
        path.write_bytes(before)


def test_show_tells_a_boot_with_the_end_of_its_console(recorded: Recorded) -> None:
    name = recorded.folder("linux[how=panic]").name
    done = recorded.bench.command("show", f"latest/{name}")
    assert done.status == 0
    assert "outcome   guest-panic: Kernel panic" in done.out
    assert done.out.count("Attempted to kill init") >= 2  # as the outcome, and in the console


def test_a_scenario_that_expects_the_panic_passes(recorded: Recorded, tmp_path: Path) -> None:
    bench = recorded.bench
    words = list(bench.boot("linux.yaml"))
    text = Path(words[1]).read_text().replace("[panic, sysrq_crash, reboot_loop, spin]", "[panic]")
    mine = tmp_path / "expected.yaml"
    mine.write_text(text.replace("expect:", "expect:\n  - outcome: guest-panic"))
    words[1] = mine
    done = bench.command(*words, "--results", tmp_path / "results")
    assert done.status == 0, done.out
    assert "1 PASS" in done.out
    # What was recorded of a boot that went as it should is thrown away.
    assert list((tmp_path / "results").glob("*/boots/0001/boot.json"))
    assert not list((tmp_path / "results").rglob("flight.jsonl"))
