"""A boot's record and folder in which nothing is damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.checks.base import Status, Verdict
from harness.classify.outcome import Outcome, OutcomeKind
from harness.evidence.records import Mark, QemuEnd, StepFact, StepStatus
from harness.results.load import raw_samples_json
from harness.results.record import BootIdentity, BootLine, BootRecord, RawSample

IDENTITY = BootIdentity("boot", "boot[vcpus=2]", "boot_vcpus-2", "scenarios/boot.yaml", "tcg")
CONSOLE = b"Linux version 6.12\r\nsvsm-harness: init\r\nsvsm-harness: ready\r\n"
FIRMWARE = b"SeaBIOS (version 1.16)\n"
JOURNAL = (
    {"at_s": 0.1, "sent": {"execute": "cont", "arguments": {}}},
    {"at_s": 0.2, "event": {"event": "RESUME", "data": {}}},
    {"at_s": 0.3, "returned": {}},
    {"at_s": 9.0, "event": {"event": "SHUTDOWN", "data": {"reason": "host-qmp-quit", "guest": False}}},
)
INTERRUPTS = "CPU0 CPU1\n  1: 3 4 IO-APIC 1-edge i8042\nNMI: 0 0 Non-maskable interrupts\n"
SAMPLES = (RawSample("ready", 4.1, INTERRUPTS, "0-1\n"), RawSample("end", 8.0, INTERRUPTS, "0-1\n"))

RECORD = BootRecord(
    identity=IDENTITY,
    setting={"machine": {"vcpus": 2}},
    qemu="7.2.22",
    accel="tcg",
    vcpus=2,
    debug_exit=False,
    reports=None,
    report_stream="report",
    started_utc="2026-11-22T17:27:38+00:00",
    duration_s=9.5,
    marks=(Mark("ssh", 4.0),),
    steps=(StepFact(0, "q", "guest", StepStatus.DONE, "", 5.0, 6.0, 0, "out\n"),),
    losses=(),
    ready_s=4.0,
    gave_up_s=None,
    gave_up_why="",
    qemu_end=QemuEnd(0, asked=True),
    received_bytes={"console": len(CONSOLE), "firmware": len(FIRMWARE)},
    provenance={"kernel": "6.12"},
)


def line(number: int = 1) -> BootLine:
    """Make the line of boot ``number``, with text that JSON must escape."""
    outcome = Outcome(OutcomeKind.READY, "ready", "ready after 4.0 s", "ssh")
    return BootLine(
        identity=replace(IDENTITY, variant=f"boot[n={number}]"),
        folder=f"boots/{number:04d}",
        status=Status.PASS,
        reason='outcome: "ready"\nnext \u2028 line {caf\u00e9}',
        verdicts=(Verdict("outcome", Status.PASS, "ready"),),
        outcome=outcome,
        duration_s=9.5,
    )


def write_folder(folder: Path) -> None:
    """Write what a boot leaves in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console.log").write_bytes(CONSOLE)
    (folder / "console.times").write_text(f"20 0.600000\n40 2.500000\n{len(CONSOLE)} 3.900000\n")
    (folder / "firmware.log").write_bytes(FIRMWARE)
    (folder / "firmware.times").write_text(f"{len(FIRMWARE)} 0.100000\n")
    (folder / "qmp.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in JOURNAL))
    (folder / "qemu.stderr").write_bytes(b"warning: \xff\n")
    (folder / "samples.json").write_bytes(raw_samples_json.dump_json(SAMPLES))
