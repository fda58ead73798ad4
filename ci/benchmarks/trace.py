"""Measure what tracing costs a guest under nested KVM: with the events that interrupt routing needs, and without any.

    ci/bench trace [--runs N] [--host H] [--json]

A Linux guest boots on one host in turn with and without a trace, first once unmeasured; its time is that from QEMU's
start to its SSH login, as the record has it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, Target
from benchmarks.process import BenchError
from benchmarks.report import options_of, report
from harness.boot.hosts import open_host_site
from harness.boot.plan import plan_boots
from harness.boot.run import PlannedBoot, run_boot
from harness.boot.site import Site
from harness.checks import all_checks
from harness.checks.trace_check import TraceCheck
from harness.errors import HarnessError
from harness.evidence.records import Loss
from harness.scenario.load import load_scenario
from harness.scenario.model import Platform
from harness.scenario.trace import Trace

__all__ = ["main", "measure"]

_SCENARIO = """
name: bench-trace
about: What tracing costs.
timeout: 3m
machine: {vcpus: 2, memory: 256M}
platforms: {kvm: {}}
"""
_FIGURE = Figure(
    "trace",
    "a 2-vCPU Linux guest under nested KVM, traced: QEMU's start to its SSH login",
    "the same guest without a trace",
    "s",
    Target(1.1),
)

Say = Callable[[str], None]


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 0 if the target was met, else 1."""
    options = options_of("trace", __doc__ or "")
    options.add_argument("--host", default="virtual", help="where to boot (default virtual)")
    given = options.parse_args(argv)
    return report(lambda say: measure(given.runs, given.host, say), given)


def measure(runs: int, host: str, say: Say) -> list[Figure]:
    """Measure ``runs`` pairs of boots on ``host``."""
    try:
        traced, plain, events = asyncio.run(_measure(runs, host, say))
    except (HarnessError, BenchError) as error:
        return [replace(_FIGURE, missing=str(error))]
    return [replace(_FIGURE, a=traced, b=plain, note=f"{events} events a traced boot")]


async def _measure(runs: int, host: str, say: Say) -> tuple[list[float], list[float], int]:
    variants = load_scenario(_SCENARIO, "bench", checks=all_checks(), set_values={}, environment={}).variants
    traced: list[float] = []
    untraced: list[float] = []
    events = 0
    async with open_host_site(host, os.environ) as site:
        (plan,) = await plan_boots(variants, site, Platform.KVM)
        if not isinstance(plan, PlannedBoot):
            raise BenchError(plan.reason)
        with_trace = replace(plan, setting=replace(plan.setting, trace=Trace(events=_events())))
        await _boot(plan, site)
        for number in range(1, runs + 1):
            took_s, events = await _boot(with_trace, site)
            traced.append(took_s)
            untraced.append((await _boot(plan, site))[0])
            say(f"trace {number}/{runs}: {traced[-1]:.2f} s traced ({events} events), {untraced[-1]:.2f} s without")
    return traced, untraced, events


def _events() -> tuple[str, ...]:
    return tuple(sorted(TraceCheck().trace_events()))


async def _boot(plan: PlannedBoot, site: Site) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        folder = Path(name) / "boots" / "0001"
        folder.mkdir(parents=True)
        record = await run_boot(plan, site, folder, lambda _: None)
        lost: list[Loss] = [loss for loss in record.losses if loss.what != "host_log"]
        if record.ready_s is None or lost:
            raise BenchError(f"the guest was not ready, or its trace not whole: {'; '.join(map(str, lost))}")
        trace = folder / "trace.log"
        return record.ready_s, trace.read_bytes().count(b"\n") if trace.exists() else 0
