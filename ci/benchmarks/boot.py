"""Measure booting through the harness beside a bare shell loop and virtme-ng, in one run and in turn.

    ci/bench boot [--runs N] [--only NAME]… [--json]

- ssh: from the start of QEMU to an accepted SSH login. Both sides boot the same kernel and initramfs on the same
  machine, knock with the same patience (the guest is silent until its server listens) and use the same algorithms.
- command: the same, to the answer of the first command.
- exit: the whole life of one process that boots a guest, runs one command in it and ends; the same kernel. The harness
  has unpacked it before (guest.unpack), as it does for whoever wants quick boots under emulation.
- exit-packed: the same, and the guest decompresses its kernel on both sides. For information, without a target.
- exit-own: the same as exit-packed, the harness with the kernel that it chooses by itself. Only where virtme-ng cannot
  boot that one, which is one of its own limits: a Debian cloud kernel has no 9p.
- parallel: boots a second while two guests boot at once, from the first start of a QEMU to the last answer.
- help: the whole life of `svsm-harness --help`, beside a Python that does nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.bare_loop import Prepared, bare_runs, prepare_bare
from benchmarks.figures import Figure, Target
from benchmarks.harness_side import HARNESS, HarnessRun, harness_run, write_scenario
from benchmarks.process import BenchError, run
from benchmarks.report import options_of, report
from benchmarks.virtme import prepare_virtme, vng_argv
from harness.errors import HarnessError
from harness.host.cache import cache_dir
from harness.qemu.command import Accel, default_cpu

__all__ = ["NAMES", "main", "measure"]

Say = Callable[[str], None]

_SSH = Figure(
    "ssh",
    "svsm-harness run: QEMU's start to its SSH login",
    "shell loop with the same command line: QEMU's start to ssh's login",
    "s",
    Target(1.05),
)
_COMMAND = Figure(
    "command",
    "svsm-harness run: QEMU's start to the first command's answer",
    "the same shell loop: QEMU's start to the answer of `ssh … echo`",
    "s",
    Target(1.05),
)
_EXIT = Figure("exit", "svsm-harness run, the whole command", "vng --exec, the whole command", "s", Target(0.5))
_EXIT_PACKED = replace(_EXIT, name="exit-packed", target=None)
_EXIT_OWN = replace(_EXIT, name="exit-own")
_PARALLEL = Figure(
    "parallel",
    "svsm-harness run -n 2: boots a second, first QEMU's start to last answer",
    "two of the shell loops at once: boots a second, start to last answer",
    "boots/s",
    Target(0.9, at_least=True),
)
_HELP = Figure("help", "svsm-harness --help", "python -c pass", "s", Target(0.3, of="A"))

NAMES = ("ssh", "command", "exit", "exit-packed", "exit-own", "parallel", "help")


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return 0 if every target was met, else 1."""
    options = options_of("boot", __doc__ or "")
    options.add_argument("--only", choices=NAMES, action="append", help="measure only this; may be repeated")
    given: argparse.Namespace = options.parse_args(argv)
    return report(lambda say: measure(given.only or NAMES, given.runs, say), given)


def measure(names: Sequence[str], runs: int, say: Say) -> list[Figure]:
    """Measure the named figures with ``runs`` pairs each."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="svsm-bench-") as name:
        folder = Path(name)
        parts: tuple[tuple[tuple[Figure, ...], Callable[[Path, int, Say], list[Figure]]], ...] = (
            ((_SSH, _COMMAND), _ssh),
            ((_EXIT, _EXIT_PACKED, _EXIT_OWN), _exit),
            ((_PARALLEL,), _parallel),
            ((_HELP,), _help),
        )
        for wanted, take in parts:
            if not any(figure.name in names for figure in wanted):
                continue
            try:
                taken = take(folder, runs, say)
            except (BenchError, HarnessError) as error:
                say(f"{wanted[0].name}: not measured: {error}")
                taken = [replace(figure, missing=str(error)) for figure in wanted]
            figures += [figure for figure in taken if figure.name in names]
    return figures


def _warm(scenario: Path, say: Say) -> Prepared:
    # Builds the image and asks QEMU and KVM what they can, so that the first boot is like the others.
    say("preparing the guest image")
    run([HARNESS, "run", str(scenario), "--dry-run"], scenario.parent)
    return prepare_bare(scenario)


def _ssh(folder: Path, runs: int, say: Say) -> list[Figure]:
    scenario = write_scenario(folder)
    prepared = _warm(scenario, say)
    a, b = [], []
    for number in range(1, runs + 1):
        a.append(harness_run(scenario))
        say(f"ssh {number}/{runs}: harness {a[-1].login_s[0]:.2f} s")
        b.append(bare_runs(prepared)[1][0])
        say(f"ssh {number}/{runs}: shell loop {b[-1].login_s:.2f} s")
    return [
        replace(_SSH, a=[one.login_s[0] for one in a], b=[one.login_s for one in b]),
        replace(_COMMAND, a=[one.answer_s[0] for one in a], b=[one.answer_s for one in b]),
    ]


def _exit(folder: Path, runs: int, say: Say) -> list[Figure]:
    virtme = prepare_virtme(cache_dir(os.environ), say)
    scenarios = {
        _EXIT: write_scenario(folder, kernel=virtme.kernel, unpack=True),
        _EXIT_PACKED: write_scenario(folder, kernel=virtme.kernel),
    }
    if virtme.own != virtme.kernel:
        scenarios[_EXIT_OWN] = write_scenario(folder)
    prepared, *_ = [_warm(scenario, say) for scenario in scenarios.values()]
    accel = prepared.plan.accel
    cpu = default_cpu(accel, prepared.site.capabilities.version) if accel is Accel.TCG else None
    argv = vng_argv(virtme, "echo lane 1", prepared.plan.setting.machine.memory >> 20, cpu)
    ours: dict[Figure, list[HarnessRun]] = {figure: [] for figure in scenarios}
    theirs = []
    for number in range(1, runs + 1):
        for figure, scenario in scenarios.items():
            ours[figure].append(harness_run(scenario))
            say(f"{figure.name} {number}/{runs}: harness {ours[figure][-1].took_s:.2f} s")
        theirs.append(virtme.boot_run_exit(argv, folder, "lane 1"))
        say(f"exit {number}/{runs}: vng {theirs[-1].took_s:.2f} s")
    b_is = f"{_EXIT.b_is}; kernel {virtme.kernel.release}; vng {' '.join(argv[1:])}"
    if not virtme.udev:
        b_is += " (no udev on this machine: one thing less for vng to do, and its command writes to the console)"
    kernels = {
        _EXIT: f"{virtme.kernel.release}, unpacked",
        _EXIT_PACKED: virtme.kernel.release,
        _EXIT_OWN: f"{virtme.own.release}, which vng cannot boot for want of 9p",
    }
    return [
        replace(
            figure,
            a_is=f"{_EXIT.a_is}; kernel {kernels[figure]}, q35, 1 vCPU, {accel}",
            b_is=b_is,
            a=[one.took_s for one in taken],
            b=[one.took_s for one in theirs],
            note=_cpu_note([one.cpu_s for one in taken], [one.cpu_s for one in theirs]),
        )
        for figure, taken in ours.items()
    ]


def _cpu_note(a_s: Sequence[float], b_s: Sequence[float]) -> str:
    ratio = median(a / b for a, b in zip(a_s, b_s, strict=True))
    return f"CPU time, which other work disturbs less: A {median(a_s):.2f} s, B {median(b_s):.2f} s, A/B {ratio:.3f}"


def _parallel(folder: Path, runs: int, say: Say) -> list[Figure]:
    if (os.cpu_count() or 1) < 2:
        raise BenchError("this machine has one CPU")
    scenario = write_scenario(folder, lanes=2)
    prepared = _warm(scenario, say)
    a, b = [], []
    for number in range(1, runs + 1):
        a.append(2 / harness_run(scenario, parallel=2).span_s)
        say(f"parallel {number}/{runs}: harness {a[-1]:.3f} boots/s")
        b.append(2 / max(one.answer_s for one in bare_runs(prepared, lanes=2)[1]))
        say(f"parallel {number}/{runs}: shell loops {b[-1]:.3f} boots/s")
    return [replace(_PARALLEL, a=a, b=b)]


def _help(folder: Path, runs: int, say: Say) -> list[Figure]:
    # It is cheap, so more often: the first is slower, because its files are not in memory.
    count = 4 * runs
    a, b = [], []
    for _ in range(count):
        a.append(run([HARNESS, "--help"], folder).took_s)
        b.append(run([sys.executable, "-c", "pass"], folder).took_s)
    say(f"help: {count} times, the last {a[-1]:.2f} s")
    return [replace(_HELP, a=a, b=b)]
