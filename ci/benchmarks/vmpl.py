"""Measure the time from command to verdict of 1000 SVSM calls of a 2-vCPU guest in the VMPL model.

ci/bench vmpl [--runs N] [--json]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, Target
from benchmarks.harness_side import HARNESS, run_passing
from benchmarks.process import BenchError
from benchmarks.report import options_of, report

__all__ = ["main", "measure"]

_ROOT = Path(__file__).resolve().parents[2]
_SCENARIO = Path("scenarios/vmpl/svsm_calls.yaml")
_PIN = ("--platform", "model", "--set", "calls=1000", "--set", "vcpus=2", "--set", "flavour=roy")
_VMPL = Figure("vmpl", f"svsm-harness run {_SCENARIO} {' '.join(_PIN)}", "", "s", Target(2.5, of="A"))


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 0 if the target was met, else 1."""
    given = options_of("vmpl", __doc__ or "").parse_args(argv)
    return report(lambda say: measure(given.runs, say), given)


def measure(runs: int, say: Callable[[str], None], root: Path = _ROOT) -> list[Figure]:
    """Measure ``runs`` boots of the scenario below ``root``."""
    if not (root / _SCENARIO).is_file():
        return [replace(_VMPL, missing=f"there is no {_SCENARIO}")]
    times: list[float] = []
    try:
        for number in range(1, runs + 1):
            times.append(_once(root))
            say(f"vmpl {number}/{runs}: {times[-1]:.2f} s")
    except BenchError as error:
        return [replace(_VMPL, missing=str(error))]
    return [replace(_VMPL, a=times)]


def _once(root: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        argv = [HARNESS, "run", str(_SCENARIO), *_PIN, "--results", name, "--format", "json"]
        document, ended = run_passing(argv, root)
    if len(document["boots"]) != 1:
        raise BenchError(f"{_SCENARIO} made {len(document['boots'])} boots where one was meant; pin its other axes too")
    return ended.took_s
