"""Recorded runs that nobody booted: whole folders as the harness writes them, for what reads results/ only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.checks.base import Place, Status, Verdict
from harness.classify.outcome import Outcome, OutcomeKind
from harness.evidence.records import Mark, QemuEnd, StepFact, StepStatus
from harness.results.record import BootIdentity, BootLine, BootRecord, boot_line_json, boot_record_json
from harness.results.store import Run, create_run

__all__ = ["ABOUT", "add_boot", "boot_line", "boot_record", "make_run"]

ABOUT: Mapping[str, object] = {
    "started_utc": "2026-11-21T01:00:00+00:00",
    "command": ["svsm-harness", "run", "scenarios/vmpl"],
    "harness": {"version": "0.1.0", "commit": "0123456789ab"},
    "host": {"kernel": "6.12", "system": "Debian", "cpu": "AMD EPYC", "cpus": 2, "memory_bytes": 8 << 30},
}


def boot_line(
    status: Status = Status.PASS,
    *,
    scenario: str = "calls",
    variant: str = "",
    grade: str = "model",
    signature: str = "guest-panic: x",
    check: str = "outcome",
    reason: str = "because",
    turn: int | None = None,
) -> BootLine:
    """Make the line of a boot; its folder is given when it is added to a run."""
    bad = status is Status.FAIL
    kind = OutcomeKind.GUEST_PANIC if bad else OutcomeKind.READY
    return BootLine(
        identity=BootIdentity(scenario, f"{scenario}{variant}", scenario, f"scenarios/{scenario}.yaml", grade, turn),
        folder=None,
        status=status,
        reason=f"{check}: {reason}",
        verdicts=(
            Verdict(check, status, reason, Place(5, 0) if bad else None),
            Verdict("vmpl_switches", Status.PASS, "completed switches VMPL2 to VMPL0: 10"),
        ),
        outcome=Outcome(kind, signature if bad else "ready", f"the console says {signature}", "ready"),
        duration_s=1.5,
    )


def boot_record(line: BootLine, *, slower_s: float = 0.0, **changes: Any) -> BootRecord:
    """Make the record of a boot; ``slower_s`` is added to the time until ready."""
    record = BootRecord(
        identity=line.identity,
        setting={"expect": [{"vmpl_switches": {"from": 2, "to": 0, "count": 10, "vcpu": None}}]},
        qemu="7.2.22 (Debian)",
        accel="tcg",
        vcpus=1,
        debug_exit=True,
        reports=None,
        report_stream="report",
        started_utc="2026-11-21T01:00:00+00:00",
        duration_s=line.duration_s,
        marks=(Mark("kernel", 0.5), Mark("ready", 1.0 + slower_s)),
        steps=(StepFact(0, "calls", "wait", StepStatus.DONE),),
        losses=(),
        ready_s=1.0,
        gave_up_s=None,
        gave_up_why="",
        qemu_end=QemuEnd(0, asked=True),
        received_bytes={},
        provenance={"payload vmpl_model": "a" * 64},
    )
    return replace(record, **changes)


def add_boot(
    run: Run, line: BootLine, *, console: bytes = b"hello\r\n", slower_s: float = 0.0, **changes: Any
) -> BootLine:
    """Add a boot with its folder to a run, as the harness does; return its line."""
    folder = run.new_boot_folder()
    line = replace(line, folder=f"boots/{folder.name}")
    (folder / "console.log").write_bytes(console)
    (folder / "qmp.jsonl").write_text('{"at_s": 0.0, "sent": {}}\n')
    run.write_record(folder, boot_record(line, slower_s=slower_s, **changes))
    run.append(line)
    return line


def make_run(results: Path, lines: Sequence[BootLine], about: Mapping[str, object] = ABOUT) -> Run:
    """Make a run of such boots, quickly: one write for all lines."""
    run = create_run(results, about)
    rows = []
    (run.folder / "boots").mkdir()
    for number, line in enumerate(lines, start=1):
        folder = run.folder / "boots" / f"{number:04d}"
        folder.mkdir()
        placed = replace(line, folder=f"boots/{folder.name}")
        (folder / "console.log").write_bytes(b"hello\r\n")
        (folder / "boot.json").write_bytes(boot_record_json.dump_json(boot_record(placed)))
        rows.append(boot_line_json.dump_json(placed))
    (run.folder / "boots.jsonl").write_bytes(b"".join(row + b"\n" for row in rows))
    return run
