"""``svsm-harness selftest --hangs``: boot guests that hang in known ways, and print what was answered of each."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.boot.hang_trials import Answered, HangTrial, answer, confusion, plan_hangs, problems
from harness.boot.site import open_site
from harness.campaign import run_campaign
from harness.classify.hang import Hang
from harness.classify.kinds import HangKind
from harness.cli.exit_status import ExitStatus
from harness.cli.live import watch
from harness.errors import InputError
from harness.results.load import load_facts
from harness.results.provenance import describe_run
from harness.results.record import BootLine
from harness.results.store import Run, create_run

__all__ = ["confusion_lines", "hangs_document", "run_hangs", "trial_lines"]

# Heads of the columns: the kinds, short enough for one line.
_SHORT: Mapping[HangKind, str] = {
    HangKind.NEVER_STARTED: "never",
    HangKind.FIRMWARE_STUCK: "firmw",
    HangKind.SPIN: "spin",
    HangKind.LIVE_LOCK: "live",
    HangKind.LOST_WAKEUP: "wake",
    HangKind.AP_NEVER_UP: "ap",
    HangKind.QEMU_BLOCKED: "qemu",
    HangKind.HOST_STALLED: "host",
    HangKind.SSH_DEAD: "ssh",
    HangKind.SLOW: "slow",
    HangKind.HALTED: "halt",
    HangKind.IDLE: "idle",
    HangKind.UNKNOWN: "?",
}


def run_hangs(results: Path, parallel: int, output: str, only: str | None) -> ExitStatus:
    """Make the trials whose names contain ``only`` (None: all), print the tables, and return 0 if all is as it must be.

    :raise InputError: if no trial has such a name.
    :raise HostError: if this machine cannot do its part.
    """
    with tempfile.TemporaryDirectory(prefix="svsm-hangs-") as folder:
        trials = [trial for trial in plan_hangs(Path(folder)) if only is None or only in trial.name]
        if not trials:
            raise InputError(f"no trial has {only!r} in its name; `svsm-harness selftest --hangs` names them all")
        run, answers = asyncio.run(_boot(trials, results, parallel, output == "json"))
    found = problems(answers)
    if output == "json":
        print(json.dumps({"results": str(run.folder), **hangs_document(answers, found)}, indent=1))
    else:
        print("\n".join(trial_lines(answers)))
        for title, unseen in (("with all that was seen", False), ("as if the guest were encrypted", True)):
            print(f"\nWhat was done, by row; what was answered, by column: {title}")
            print("\n".join(confusion_lines(answers, unseen=unseen)))
        right = sum(one.seen is not None and one.seen.kind is one.kind for one in answers)
        blind = sum(one.unseen is not None and one.unseen.kind is one.kind for one in answers)
        print(f"\n{len(answers)} hangs: {right} told rightly, {blind} of them also as if encrypted")
        print("\n".join(f"  {sentence}" for sentence in found), end="\n" if found else "")
        print(f"results: {run.folder}")
    return ExitStatus.FAILED if found else ExitStatus.PASSED


async def _boot(trials: Sequence[HangTrial], results: Path, parallel: int, quiet: bool) -> tuple[Run, list[Answered]]:
    site = await open_site(os.environ)
    run = create_run(results, describe_run(sys.argv))
    with watch(len(trials), quiet) as observer:
        lines = await run_campaign([trial.plan for trial in trials], site, run, parallel, observer)
    return run, [_answered(trial, line, run) for trial, line in zip(trials, lines, strict=True)]


def _answered(trial: HangTrial, line: BootLine, run: Run) -> Answered:
    if line.folder is None or line.outcome is None:
        return Answered(trial.name, trial.kind, None, None, line.folder, line.reason)
    folder = run.folder / line.folder
    return answer(trial, load_facts(folder, run.read_record(folder)), line.folder)


def trial_lines(answers: Sequence[Answered]) -> list[str]:
    """Return a line for each trial: what was done, what was answered, how sure, and that without registers."""
    rows = [("done", "is", "answered", "as if encrypted")]
    rows += [(one.name, one.kind, _said(one.seen), _said(one.unseen)) for one in answers]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _said(hang: Hang | None) -> str:
    return "not booted" if hang is None else f"{hang.kind}{f' {hang.where}' if hang.where else ''} ({hang.sure})"


def confusion_lines(answers: Sequence[Answered], *, unseen: bool) -> list[str]:
    """Return the table kind by answer."""
    table = confusion(answers, unseen=unseen)
    lines = ["".join([" " * 16, *(f"{short:>6}" for short in _SHORT.values())])]
    for kind, counted in table.items():
        cells = (f"{counted[given] or '.':>6}" for given in HangKind)
        lines.append("".join([f"{kind:<16}", *cells]))
    return lines


def hangs_document(answers: Sequence[Answered], found: Sequence[str]) -> dict[str, object]:
    """Return what ``--format json`` prints."""
    return {
        "problems": list(found),
        "trials": [
            {
                "done": one.name,
                "is": one.kind,
                "folder": one.folder,
                "why": one.why,
                **{
                    name: None
                    if hang is None
                    else {"kind": hang.kind, "where": hang.where, "sure": hang.sure, "reasons": list(hang.reasons)}
                    for name, hang in (("answered", one.seen), ("as_if_encrypted", one.unseen))
                },
            }
            for one in answers
        ],
    }
