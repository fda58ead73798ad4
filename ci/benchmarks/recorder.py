"""Measure what the flight recorder costs a boot that goes well.

    ci/bench recorder [--runs N] [--json]

- look: one look of the recorder at a QEMU that boots a guest, in CPU time of the harness; there is one a second.
- boot: from the start of QEMU to its SSH login, with the recorder and without, in turn. On a busy machine this is noise
  around 1; `look` says what it can be at most.
- cpu: the CPU time of the harness and its QEMU together for the same boots, which other work disturbs less.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, Target
from benchmarks.harness_side import HARNESS, HarnessRun, harness_run, write_scenario
from benchmarks.process import BenchError, run
from benchmarks.report import options_of, report
from harness.boot.vitals import Observer
from harness.clock import Deadline
from harness.errors import HarnessError
from harness.qemu.capabilities import find_qemu
from harness.qemu.command import QemuCommand, Stream, Wiring
from harness.qemu.machine import launch

__all__ = ["NAMES", "main", "measure"]

# One look a second may take three hundredths of it.
_SHARE = 0.03
_LOOKS = 200
_LOOK = Figure("look", "one look of the recorder, CPU time of the harness", "", "ms", Target(_SHARE * 1000, of="A"))
_BOOT = Figure(
    "boot", "svsm-harness run, QEMU's start to its SSH login", "the same without recorder", "s", Target(1.03)
)
_CPU = Figure("cpu", "svsm-harness run, CPU time with QEMU's", "the same without recorder", "s", Target(1.03))

NAMES = ("look", "boot", "cpu")
_SWITCH = "SVSM_HARNESS_RECORDER"


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 0 if every target was met, else 1."""
    options = options_of("recorder", __doc__ or "")
    given: argparse.Namespace = options.parse_args(argv)
    return report(lambda say: measure(given.runs, say), given)


def measure(runs: int, say: Callable[[str], None]) -> list[Figure]:
    """Measure with ``runs`` pairs of boots."""
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        folder = Path(name)
        try:
            looks = [asyncio.run(_look_ms(folder)) for _ in range(3)]
            say(f"look: {min(looks):.2f} ms")
            scenario = write_scenario(folder)
            run([HARNESS, "run", str(scenario), "--dry-run"], folder)
            pairs = [_pair(scenario, number, runs, say) for number in range(1, runs + 1)]
        except (BenchError, HarnessError) as error:
            return [replace(figure, missing=str(error)) for figure in (_LOOK, _BOOT, _CPU)]
    return [
        replace(_LOOK, a=looks, note=f"{_LOOKS} looks in a row, three times"),
        replace(_BOOT, a=[a.login_s[0] for a, _ in pairs], b=[b.login_s[0] for _, b in pairs]),
        replace(_CPU, a=[a.cpu_s for a, _ in pairs], b=[b.cpu_s for _, b in pairs]),
    ]


def _pair(scenario: Path, number: int, runs: int, say: Callable[[str], None]) -> tuple[HarnessRun, HarnessRun]:
    # By turns first, because the second of two finds more in the caches.
    made: dict[bool, HarnessRun] = {}
    for recorded in (True, False) if number % 2 else (False, True):
        with _switched(recorded):
            made[recorded] = harness_run(scenario)
    say(f"boot {number}/{runs}: {made[True].login_s[0]:.2f} s, without recorder {made[False].login_s[0]:.2f} s")
    return made[True], made[False]


@contextmanager
def _switched(on: bool) -> Iterator[None]:
    if not on:
        os.environ[_SWITCH] = "off"
    try:
        yield
    finally:
        os.environ.pop(_SWITCH, None)


async def _look_ms(folder: Path) -> float:
    # A machine of the usual size whose firmware runs, so that it has all its threads.
    def build(wiring: Wiring) -> QemuCommand:
        options: list[tuple[str, ...]] = [
            ("-machine", "q35,accel=tcg"),
            ("-nodefaults",),
            ("-display", "none"),
            ("-S",),
        ]
        options += [("-smp", "2"), ("-m", "64M")]
        if wiring.monitor is not None:
            options += [("-chardev", wiring.monitor.replace(",", ",id=qmp,", 1)), ("-mon", "chardev=qmp,mode=control")]
        return QemuCommand(find_qemu(os.environ), tuple(options))

    async with launch(build, [Stream.CONSOLE], folder, Deadline.after(30)) as machine:
        observer = Observer(machine, encrypted=False, kvm=False)
        await observer.look(0.0, Deadline.after(5))
        begin_s = time.process_time()
        for _ in range(_LOOKS):
            await observer.look(0.0, Deadline.after(5))
        return (time.process_time() - begin_s) / _LOOKS * 1000
