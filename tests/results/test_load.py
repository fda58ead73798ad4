from __future__ import annotations

import json
import mmap
from dataclasses import replace
from pathlib import Path

import pytest

from harness.checks.base import Check, Evidence, Status
from harness.checks.console import ConsoleCheck
from harness.checks.interrupts import InterruptsCheck
from harness.checks.outcome import OutcomeCheck
from harness.checks.qmp_events import QmpEventsCheck
from harness.checks.startup import StartupCheck
from harness.checks.vcpus_online import VcpusOnlineCheck
from harness.classify.outcome import decide_outcome
from harness.evidence.records import BootFacts, Loss
from harness.evidence.vitals import Look, ThreadLook, Vitals
from harness.results.load import load_facts, load_marks, read_console
from harness.results.vitals import write_vitals

from .sample_record import CONSOLE, INTERRUPTS, RECORD, SAMPLES, write_folder

OUTCOME = OutcomeCheck()
QUIT = QmpEventsCheck(event="SHUTDOWN")
READY = StartupCheck(milestones=("kernel", "ready"))
LINUX = ConsoleCheck(contains=("Linux",))
QUIET = InterruptsCheck(source="i8042", count=0)
ONLINE = VcpusOnlineCheck(count=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path)
    return tmp_path


def _verdicts(facts: BootFacts, *checks: Check) -> list[Status]:
    evidence = Evidence(facts, decide_outcome(facts))
    return [check.judge(evidence).status for check in checks]


def test_a_whole_folder(folder: Path) -> None:
    facts = load_facts(folder, RECORD)
    assert facts.losses == ()
    assert [(mark.milestone, mark.at_s) for mark in facts.marks] == [
        ("firmware", 0.1),
        ("kernel", 0.6),
        ("init", 2.5),
        ("ready", 3.9),
        ("ssh", 4.0),
    ]
    assert load_marks(folder, RECORD) == facts.marks
    assert [(event.at_s, event.name) for event in facts.events] == [(0.2, "RESUME"), (9.0, "SHUTDOWN")]
    assert facts.events[1].text("reason") == "host-qmp-quit"
    assert [(sample.label, sample.at_s, sample.online) for sample in facts.samples] == [
        ("ready", 4.1, (0, 1)),
        ("end", 8.0, (0, 1)),
    ]
    assert facts.stderr == "warning: \ufffd\n"
    assert (facts.platform, facts.vcpus, facts.ready_s, facts.steps) == ("tcg", 2, 4.0, RECORD.steps)
    assert bytes(facts.console[:]) == CONSOLE
    assert set(_verdicts(facts, OUTCOME, QUIT, READY, LINUX, QUIET, ONLINE)) == {Status.PASS}


def test_a_console_cut_anywhere_proves_nothing(folder: Path) -> None:
    for size in range(len(CONSOLE)):
        (folder / "console.log").write_bytes(CONSOLE[:size])
        facts = load_facts(folder, RECORD)
        said = f"the log has {size} of {len(CONSOLE)} bytes; was the disk full?"
        assert facts.losses == (Loss("console", said),)
        assert set(_verdicts(facts, OUTCOME, READY, LINUX)) == {Status.INCONCLUSIVE}
        assert set(_verdicts(facts, QUIT, ONLINE)) == {Status.PASS}


@pytest.mark.parametrize(
    ("file", "content", "loss", "checks"),
    [
        ("console.log", None, "console: the log has 0 of 61 bytes", (OUTCOME, LINUX, READY)),
        ("firmware.log", b"", "firmware: the log has 0 of 23 bytes", (READY,)),
        ("console.times", None, "console: console.times has the times of 0 of 61 bytes", (READY,)),
        ("console.times", b"20 0.6\n40 2.5\n", "console: console.times has the times of 40 of 61", (READY,)),
        ("console.times", b"20 0.6\n40\n61 3.9\n", "console: console.times has the times of 20 of 61", (READY,)),
        ("console.times", b"20 0.6\n40 2.5\n6\n", "console.times has the times of 40 of 61", (READY,)),
        ("console.times", b"20 0.6\n\xff\xff\n", "console.times has the times of 20 of 61", (READY,)),
        ("console.times", b"61 3.9\n40 2.5\n", None, ()),  # what goes back is not believed
        ("qmp.jsonl", None, "qmp: there is no qmp.jsonl", (OUTCOME, QUIT)),
        ("qmp.jsonl", b"", "qmp: there is no qmp.jsonl, or it is empty", (OUTCOME, QUIT)),
        ("qmp.jsonl", b'{"at_s": 0.1, "returned": {}}\n{"at_s": 9.0, "eve', "line 2 of qmp.jsonl", (OUTCOME, QUIT)),
        ("qmp.jsonl", b"[]\n", "qmp: line 1 of qmp.jsonl is damaged", (OUTCOME, QUIT)),
        ("qmp.jsonl", b"7\n", "qmp: line 1 of qmp.jsonl is damaged", (QUIT,)),
        ("qmp.jsonl", b"\n", "qmp: line 1 of qmp.jsonl is damaged", (QUIT,)),
        ("qmp.jsonl", b'{"at_s": 1, "event": "STOP"}\n', "qmp: line 1 of qmp.jsonl", (QUIT,)),
        ("qmp.jsonl", b'{"at_s": 1, "event": {"event": "STOP"}}\n', "qmp: line 1 of qmp.jsonl", (QUIT,)),
        ("qmp.jsonl", b'{"at_s": 1, "event": {"event": "STOP", "data": []}}\n', "qmp: line 1", (QUIT,)),
        ("qmp.jsonl", b'{"at_s": null, "event": {"event": "STOP", "data": {}}}\n', "qmp: line 1", (QUIT,)),
        ("qmp.jsonl", b'{"event": {"event": "STOP", "data": {}}}\n', "qmp: line 1", (QUIT,)),
        ("samples.json", b"", "samples: samples.json is damaged", (QUIET, ONLINE)),
        ("samples.json", b'[{"label": "ready"}]', "samples: samples.json is damaged", (QUIET, ONLINE)),
        ("samples.json", b"\xff", "samples: samples.json is damaged", (QUIET, ONLINE)),
    ],
)
def test_a_damaged_file_is_a_loss(
    folder: Path, file: str, content: bytes | None, loss: str | None, checks: tuple[Check, ...]
) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    facts = load_facts(folder, RECORD)
    assert len(facts.losses) == (loss is not None)
    assert all(str(loss) in str(found) for found in facts.losses)
    assert set(_verdicts(facts, *checks)) <= {Status.INCONCLUSIVE}


def test_samples_cut_anywhere_never_pass(folder: Path) -> None:
    whole = (folder / "samples.json").read_bytes()
    for size in range(len(whole)):
        (folder / "samples.json").write_bytes(whole[:size])
        assert set(_verdicts(load_facts(folder, RECORD), QUIET, ONLINE)) == {Status.INCONCLUSIVE}


def test_a_journal_cut_anywhere_is_noticed_or_lacks_whole_lines(folder: Path) -> None:
    whole = (folder / "qmp.jsonl").read_bytes()
    for size in range(len(whole)):
        (folder / "qmp.jsonl").write_bytes(whole[:size])
        facts = load_facts(folder, RECORD)
        at_line_end = whole[size : size + 1] == b"\n" or whole[size - 1 : size] == b"\n"
        assert [loss.what for loss in facts.losses] == ([] if size and at_line_end else ["qmp"])


@pytest.mark.parametrize(
    ("label", "interrupts", "online"),
    [
        ("ready", INTERRUPTS[:-1], "0-1"),
        ("end", "", "0-1"),
        ("end", INTERRUPTS, ""),
        ("ready", INTERRUPTS, "0-"),
    ],
)
def test_a_sample_that_cannot_be_read_is_a_loss(folder: Path, label: str, interrupts: str, online: str) -> None:
    samples = [
        {"label": raw.label, "at_s": raw.at_s, "interrupts": interrupts, "online": online}
        if raw.label == label
        else {"label": raw.label, "at_s": raw.at_s, "interrupts": raw.interrupts, "online": raw.online}
        for raw in SAMPLES
    ]
    (folder / "samples.json").write_text(json.dumps(samples))
    facts = load_facts(folder, RECORD)
    assert [loss.what for loss in facts.losses] == ["samples"]
    assert facts.losses[0].why.startswith(f"{label}: ")
    assert _verdicts(facts, QUIET, ONLINE) == [Status.INCONCLUSIVE] * 2


def test_a_guest_that_was_never_sampled_lost_nothing(folder: Path) -> None:
    (folder / "samples.json").unlink()
    facts = load_facts(folder, RECORD)
    assert (facts.samples, facts.losses) == ((), ())
    assert _verdicts(facts, ONLINE) == [Status.INCONCLUSIVE]


@pytest.mark.parametrize("stream", ["trace", "report", "something"])
def test_a_cut_of_any_stream_is_noticed(folder: Path, stream: str) -> None:
    record = replace(RECORD, received_bytes={**RECORD.received_bytes, stream: 7})
    assert [loss.what for loss in load_facts(folder, record).losses] == [stream]


def test_what_the_boot_knew_it_lost_stays_lost(folder: Path) -> None:
    losses = (Loss("state", "QEMU hung up"),)
    assert load_facts(folder, replace(RECORD, losses=losses)).losses == losses


def test_a_console_is_mapped_and_not_read(folder: Path) -> None:
    with (folder / "console.log").open("r+b") as file:
        file.truncate(50 << 20)
    console = read_console(folder / "console.log")
    assert isinstance(console, mmap.mmap)
    assert len(console) == 50 << 20
    assert read_console(folder / "missing.log") == b""


@pytest.mark.parametrize(
    ("times", "reached"),
    [
        # A clock that goes back, or is none: what stands behind has no time that can be trusted.
        ("20 0.600000\n40 0.500000\n63 3.9\n", ["kernel"]),
        ("20 0.600000\n40 nan\n63 3.9\n", ["kernel"]),
        ("20 0.600000\n40 inf\n63 3.9\n", ["kernel"]),
        ("20 -1.0\n40 2.5\n", []),
        # A forward jump cannot be told from a long wait.
        ("20 0.600000\n40 9000.0\n63 9001.0\n", ["kernel", "init", "ready"]),
        # Cut in the middle of a number, which is a number too.
        ("20 0.600000\n40 2", ["kernel"]),
        ("20 0.600000\n4", ["kernel"]),
        ("20 0.6", []),
    ],
)
def test_times_that_cannot_be(folder: Path, times: str, reached: list[str]) -> None:
    (folder / "console.times").write_text(times)
    facts = load_facts(folder, RECORD)
    assert [mark.milestone for mark in facts.marks if mark.milestone not in ("firmware", "ssh")] == reached
    assert bool(facts.losses) is (len(reached) < 3)
    if facts.losses:
        assert "console.times has the times of" in str(facts.losses[0])
        # A milestone may be hidden, so nothing is judged that rests on the console's times.
        assert _verdicts(facts, READY) == [Status.INCONCLUSIVE]


@pytest.mark.parametrize("at_s", [0.05, -1, float("nan"), float("inf")])
def test_a_journal_whose_clock_jumps_is_a_loss_with_its_line(folder: Path, at_s: float) -> None:
    rows = (folder / "qmp.jsonl").read_text().splitlines()
    rows.append(json.dumps({"at_s": at_s, "event": {"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}}))
    (folder / "qmp.jsonl").write_text("".join(f"{row}\n" for row in rows))
    facts = load_facts(folder, RECORD)
    (loss,) = facts.losses
    assert "line 5 of qmp.jsonl" in str(loss) and "a clock jumped" in str(loss)
    assert all(event.text("reason") != "guest-reset" for event in facts.events)
    assert _verdicts(facts, QUIT) == [Status.INCONCLUSIVE]


def test_a_hang_is_decided_again_from_what_was_kept(folder: Path) -> None:
    looks = tuple(
        Look(50 + n * 0.2, 0.0, "running", (ThreadLook(7, 0, "R", int((5 + n * 0.2) * 1e9), 0),), 9) for n in range(6)
    )
    write_vitals(folder, Vitals(looks))
    (folder / "console.log").write_bytes(CONSOLE[:-21])
    (folder / "console.times").write_text(f"{len(CONSOLE) - 21} 2.5\n")
    hung = replace(RECORD, ready_s=None, gave_up_s=50.0, marks=(), received_bytes={"console": len(CONSOLE) - 21})
    outcome = decide_outcome(load_facts(folder, hung))
    assert outcome.signature == "hang: after init, spinning"
    # Without it the boot is still a hang, and says that its kind is not known; the damage is a loss.
    (folder / "vitals.json").write_bytes(b"{")
    facts = load_facts(folder, hung)
    outcome = decide_outcome(facts)
    assert (outcome.signature, outcome.hang is not None and str(outcome.hang.kind)) == ("hang: after init", "unknown")
    assert "vitals.json is damaged" in str(facts.losses[0])
