"""Boot through the harness as its users do: the installed command, a process for each run, its records read back."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.process import BenchError, Ended, run
from harness.guest.kernel import GuestKernel

__all__ = ["HARNESS", "HarnessRun", "harness_run", "run_passing", "write_scenario"]

HARNESS = str(Path(sys.executable).parent / "svsm-harness")

# The guest command is the smallest there is; what is measured is the way to it and back.
_SCENARIO = """\
name: bench
about: The smallest scenario that boots a Linux guest and hears a command of its answer.
matrix: {{lane: [{lanes}]}}
machine: {{memory: 512M}}
{guest}
steps:
  - guest: {{name: answer, run: "echo lane ${{lane}}"}}
expect:
  - guest: {{step: answer, matches: "^lane ${{lane}}$"}}
"""


@dataclass(frozen=True, slots=True)
class HarnessRun:
    """Hold the seconds of one ``svsm-harness run``.

    ``took_s`` is the whole command, ``cpu_s`` the CPU time that it and QEMU used. ``login_s`` and ``answer_s`` have an
    entry for each boot, counted from the start of its QEMU: until the SSH login was accepted, and until the guest's
    command had answered. ``span_s`` is from the first start of a QEMU to the last answer.
    """

    took_s: float
    cpu_s: float
    span_s: float
    login_s: tuple[float, ...]
    answer_s: tuple[float, ...]


def write_scenario(folder: Path, lanes: int = 1, kernel: GuestKernel | None = None, unpack: bool = False) -> Path:
    """Write the scenario of the bench, with ``lanes`` variants; ``kernel`` None leaves the choice to the harness.

    ``unpack``: as the scenario key guest.unpack.
    """
    guest: dict[str, object] = {"unpack": unpack}
    if kernel is not None:
        guest |= {"kernel": str(kernel.image), "modules": str(kernel.modules_dir)}
    path = folder / f"bench{lanes}{'' if kernel is None else '-kernel'}{'-unpacked' if unpack else ''}.yaml"
    path.write_text(
        _SCENARIO.format(lanes=", ".join(map(str, range(1, lanes + 1))), guest=f"guest: {json.dumps(guest)}")
    )
    return path


def harness_run(scenario: Path, parallel: int = 1, command: Sequence[str] = (HARNESS,)) -> HarnessRun:
    """Run the scenario; every boot of it must pass.

    :raise BenchError: if one does not.
    """
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        argv = [*command, "run", str(scenario), "-n", str(parallel), "--results", name, "--format", "json"]
        document, ended = run_passing(argv, scenario.parent)
        folder = Path(document["results"])
        boots = [path.parent for path in sorted(folder.glob("boots/*/boot.json"))]
        records = [json.loads((boot / "boot.json").read_bytes()) for boot in boots]
        # The record counts from the start of its own QEMU. When that was, shows the file that is written just before.
        started_s = [(boot / "qemu.sh").stat().st_mtime_ns / 1e9 for boot in boots]
    logins = [mark["at_s"] for record in records for mark in record["marks"] if mark["milestone"] == "ssh"]
    answers = [step["end_s"] for record in records for step in record["steps"] if step["name"] == "answer"]
    if not logins or len(logins) != len(records) or len(answers) != len(records):
        raise BenchError(
            f"svsm-harness run recorded {len(records)} boots, {len(logins)} logins, {len(answers)} answers"
        )
    ends_s = [start + answer for start, answer in zip(started_s, answers, strict=True)]
    return HarnessRun(ended.took_s, ended.cpu_s, max(ends_s) - min(started_s), tuple(logins), tuple(answers))


def run_passing(argv: Sequence[str], cwd: Path) -> tuple[dict[str, Any], Ended]:
    """Run ``svsm-harness run … --format json``; return its document and how it ended, if every boot passed.

    :raise BenchError: naming the first boot that did not.
    """
    # Statuses that come with a document (harness/cli/exit_status.py); with others there is only an error to show.
    ended = run(argv, cwd, good=(0, 1, 3, 4, 5))
    try:
        document: dict[str, Any] = json.loads(ended.out)
    except ValueError:
        raise BenchError(f"svsm-harness run failed: {ended.errors.strip()[-500:]}") from None
    for boot in document["boots"]:
        if boot["status"] != "PASS":
            raise BenchError(f"{boot['identity']['variant']} ended as {boot['status']}: {boot['reason']}")
    return document, ended
