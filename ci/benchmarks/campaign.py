"""Measure what the harness adds to the boots of a campaign, beside a bare shell loop that boots as often.

    ci/bench campaign [--runs N] [--boots N] [--json]

Both sides boot the same kernel and initramfs on the same machine, one boot after the other, log in by SSH, hear a
command's answer, and end QEMU.

- boots: from the start of the campaign's first QEMU until its last boot is judged and on the disk. This is what each
  further boot costs.
- whole: the whole command, with its start and its summary, which a campaign has once. For information.
- cpu: the CPU time of the whole command with its QEMUs, which other work disturbs less. For information.

The shell loop's keys and initramfs are made before its clock runs; the campaign's are made while its clock runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from benchmarks.bare_loop import Prepared, bare_runs, prepare_bare
from benchmarks.figures import Figure, Target
from benchmarks.harness_side import HARNESS, write_scenario
from benchmarks.process import BenchError, children_cpu_s, run
from benchmarks.report import options_of, report
from harness.errors import HarnessError

__all__ = ["NAMES", "CampaignTimes", "campaign_run", "main", "measure"]

_BOOTS = 6
_LOOP = "shell loop with the same command line, its boots together"
_FIGURES = (
    Figure("boots", "svsm-harness stability, first QEMU's start to last verdict", _LOOP, "s", Target(1.05)),
    Figure("whole", "svsm-harness stability, the whole command", _LOOP, "s", None),
    Figure("cpu", "svsm-harness stability, CPU time with its QEMUs", f"{_LOOP}, CPU time", "s", None),
)

NAMES = tuple(figure.name for figure in _FIGURES)


@dataclass(frozen=True, slots=True)
class CampaignTimes:
    """Hold the seconds of one campaign, or of as many bare boots: of its boots, of all of it, and of the CPUs."""

    boots_s: float
    whole_s: float
    cpu_s: float


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 0 if every target was met, else 1."""
    options = options_of("campaign", __doc__ or "")
    options.add_argument("--boots", type=int, default=_BOOTS, help=f"boots of each campaign (default {_BOOTS})")
    given: argparse.Namespace = options.parse_args(argv)
    if given.boots < 1:
        options.error("--boots must be at least 1")
    return report(lambda say: measure(given.runs, given.boots, say), given)


def measure(runs: int, boots: int, say: Callable[[str], None]) -> list[Figure]:
    """Measure with ``runs`` pairs of ``boots`` boots each."""
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        scenario = write_scenario(Path(name))
        try:
            run([HARNESS, "run", str(scenario), "--dry-run"], scenario.parent)
            prepared = prepare_bare(scenario)
            pairs = [_pair(scenario, prepared, boots, f"{number}/{runs}", say) for number in range(1, runs + 1)]
        except (BenchError, HarnessError) as error:
            return [replace(figure, missing=str(error)) for figure in _FIGURES]
    ours, theirs = ([astuple(pair[side]) for pair in pairs] for side in (0, 1))
    note = f"{boots} boots on each side of a pair"
    return [
        replace(figure, a=[times[at] for times in ours], b=[times[at] for times in theirs], note=note)
        for at, figure in enumerate(_FIGURES)
    ]


def _pair(
    scenario: Path, prepared: Prepared, boots: int, which: str, say: Callable[[str], None]
) -> tuple[CampaignTimes, CampaignTimes]:
    ours = campaign_run(scenario, boots)
    say(f"campaign {which}: harness {ours.boots_s:.2f} s, with its start and end {ours.whole_s:.2f} s")
    before_s = children_cpu_s()
    took_s = sum(bare_runs(prepared)[0] for _ in range(boots))
    say(f"campaign {which}: shell loop {took_s:.2f} s")
    return ours, CampaignTimes(took_s, took_s, children_cpu_s() - before_s)


def campaign_run(scenario: Path, boots: int) -> CampaignTimes:
    """Make a campaign of ``boots`` boots, one after the other; every boot of it must pass.

    :raise BenchError: if one does not.
    """
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        words = ["--boots", str(boots), "-n", "1", "--results", name, "--format", "json"]
        # Statuses that come with a document (harness/cli/exit_status.py).
        ended = run([HARNESS, "stability", str(scenario), *words], scenario.parent, good=(0, 1, 3))
        document = json.loads(ended.out)
        if document["good"] != boots:
            raise BenchError(f"only {document['good']} of {boots} boots passed: {document['sentence']}")
        folder = Path(document["results"])
        first_s = (folder / "boots/0001/qemu.sh").stat().st_mtime  # written just before its QEMU is started
        last_s = (folder / "boots.jsonl").stat().st_mtime
    return CampaignTimes(last_s - first_s, ended.took_s, ended.cpu_s)
