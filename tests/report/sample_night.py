"""A night in which something of everything happened, and a guest that writes markup."""

from __future__ import annotations

from pathlib import Path

from sample_results import ABOUT, add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.history.baseline import make_baseline
from harness.history.recorded import read_run
from harness.report.gather import Night, gather

__all__ = ["HOSTILE", "make_night"]

HOSTILE = "]]></failure><script>`|*\x1b[1m\x00\u202e# SKIP"
GOAL = {"boots": 60, "max_failure_rate": 0.5, "confidence": 0.95}


def make_night(tmp_path: Path) -> Night:
    """Return a night with every verdict, a hostile guest's FAIL among them, and a campaign that passed."""
    before = read_run(make_run(tmp_path, [boot_line(), boot_line(scenario="good", grade="tcg")]))
    run = make_run(tmp_path, [])
    add_boot(run, boot_line(scenario="good", grade="tcg"))
    add_boot(run, boot_line(Status.FAIL, reason=HOSTILE, signature=HOSTILE), console=HOSTILE.encode() + b"\nlast\n")
    add_boot(run, boot_line(Status.ERROR, scenario="broken", reason="host: no memory"))
    add_boot(run, boot_line(Status.INCONCLUSIVE, scenario="lost", reason="trace: 3 events lost"))
    run.append(boot_line(Status.UNSUPPORTED, scenario="snp", grade="svsm"))
    entry = {
        "scenario": "often",
        "about": "",
        "file": "scenarios/often.yaml",
        "id": "-",
        "slug": "often",
        "platform": "model",
        "accel": "tcg",
        "setting": {},
        "made_of": {},
    }
    plan = {"goal": {**GOAL, "sequential": False, "until": None, "extended": False}, "entries": [entry]}
    lines = [boot_line(Status.FAIL if turn == 1 else Status.PASS, scenario="often", turn=turn) for turn in range(1, 61)]
    campaign = make_run(tmp_path, lines, {**ABOUT, "stability": plan})
    return gather([read_run(run), read_run(campaign)], make_baseline("main", [before], {}))
