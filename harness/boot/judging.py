"""Judge a boot from what is on the disk, so that judging again later gives the same answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.boot.collect import write_observations
from harness.boot.context import BootContext
from harness.checks import all_checks
from harness.checks.base import Check, Evidence, Status, Verdict, worst
from harness.checks.judge import judge
from harness.classify.outcome import Outcome, decide_outcome
from harness.results.load import load_facts
from harness.results.record import BootLine, BootRecord
from harness.scenario.stored import load_setting

__all__ = ["decisive", "failure_so_far", "judge_record"]


# What is expected of every boot says little in a table of passes.
_EXPECTED_OF_ALL = ("outcome", "report")


def judge_record(folder: Path, record: BootRecord, name: str) -> BootLine:
    """Derive the outcome and all verdicts of a boot; ``name`` is how the run calls its folder.

    :raise InputError: if the record cannot be read as what it is.
    """
    expect = load_setting(record.setting, checks=all_checks()).expect
    keep = frozenset[str]().union(*(check.kept_events() for check in expect if isinstance(check, Check)))
    facts = load_facts(folder, record, keep)
    outcome: Outcome = decide_outcome(facts)
    verdicts = judge(expect, Evidence(facts, outcome))
    status = worst([verdict.status for verdict in verdicts])
    return BootLine(
        identity=record.identity,
        folder=name,
        status=status,
        reason=decisive(status, verdicts),
        verdicts=verdicts,
        outcome=outcome,
        duration_s=record.duration_s,
    )


async def failure_so_far(context: BootContext, record: BootRecord) -> str:
    """Return which check fails a boot that still runs, and why; empty: none does as far as can be seen now.

    ``record`` is what would be recorded if the boot ended now. What is written down later (a host's trace, the end of
    QEMU) is not seen yet, so the boot may fail for more, and this answer is recorded nowhere.

    :raise HostError: if the disk is full.
    """
    losses = list(context.losses)
    write_observations(context)
    context.losses[:] = losses  # that a console is still open is no loss yet
    line = await asyncio.to_thread(judge_record, context.folder, record, context.folder.name)
    return line.reason if line.status is Status.FAIL else ""


def decisive(status: Status, verdicts: tuple[Verdict, ...]) -> str:
    """Return the sentence that a table shows: what decided, or for a PASS what the scenario's first check found."""
    deciding = [verdict for verdict in verdicts if verdict.status is status]
    if not deciding:
        return ""
    chosen = [verdict for verdict in deciding if verdict.check not in _EXPECTED_OF_ALL]
    shown = chosen[0] if status is Status.PASS and chosen else deciding[0]
    return f"{shown.check}: {shown.reason}"
