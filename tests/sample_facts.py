"""A boot in which everything went well, and short ways to spoil one part of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.checks.base import Check, Evidence, Status
from harness.classify.outcome import decide_outcome
from harness.evidence.interrupts import parse_interrupts
from harness.evidence.records import BootFacts, Loss, Mark, QemuEnd, QmpEvent, Sample, StepFact, StepStatus

GOOD = BootFacts(
    platform="tcg",
    vcpus=2,
    marks=(Mark("firmware", 0.1), Mark("kernel", 0.6), Mark("init", 2.5), Mark("ready", 4.0), Mark("ssh", 4.2)),
    steps=(),
    samples=(),
    events=(),
    console=b"[    0.0] Linux version 6.12\r\nsvsm-harness: init\r\nsvsm-harness: ready\r\n",
    stderr="",
    losses=(),
    ready_s=4.2,
    gave_up_s=None,
    qemu_end=QemuEnd(0, asked=True),
)


def evidence(**changes: Any) -> Evidence:
    """Return the good boot with some of its facts changed, and its outcome."""
    facts = replace(GOOD, **changes)
    return Evidence(facts, decide_outcome(facts))


def expect(check: Check, status: Status, *operands: str, **changes: Any) -> None:
    """Judge the good boot with changes, and look for the operands in the reason."""
    verdict = check.judge(evidence(**changes))
    assert (verdict.check, verdict.status) == (check.key, status), verdict
    for operand in operands:
        assert operand in verdict.reason


def lost(what: str) -> tuple[Loss, ...]:
    """Lose one part of the evidence."""
    return (Loss(what, "the disk was full"),)


def sample(label: str, counts: Mapping[str, tuple[int, ...]], online: tuple[int, ...] = (0, 1)) -> Sample:
    """Take a sample: counts on each CPU that is online, by source."""
    rows = [" ".join(f"CPU{cpu}" for cpu in online)]
    for number, (source, by_cpu) in enumerate(counts.items()):
        columns = " ".join(map(str, by_cpu))
        rows.append(f"{source}: {columns}" if source.isupper() else f"{number}: {columns} IO-APIC 1-edge {source}")
    return Sample(label, 1.0, parse_interrupts("\n".join(rows) + "\n"), online)


def around(
    step: str, before: Mapping[str, tuple[int, ...]], after: Mapping[str, tuple[int, ...]]
) -> tuple[Sample, ...]:
    """Take the samples before and after a step."""
    return sample(f"before {step}", before), sample(f"after {step}", after)


def event(name: str, at_s: float = 1.0, **data: object) -> QmpEvent:
    """Make a QMP event."""
    return QmpEvent(at_s, name, json.dumps(data))


def step(
    name: str,
    status: StepStatus = StepStatus.DONE,
    *,
    reason: str = "",
    exit_status: int | None = None,
    output: str = "",
) -> StepFact:
    """Make the record of a step."""
    return StepFact(0, name, "guest", status, reason, 1.0, 2.0, exit_status, output)
