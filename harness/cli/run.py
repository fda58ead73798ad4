"""``svsm-harness run``: boot every variant, judge it, and say what was found."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.kvm_probe import KvmAnswer, probe_kvm
from harness.boot.load import prepare_load
from harness.boot.plan import RefusedBoot, needs_kvm, plan_boot, require_files
from harness.boot.run import PlannedBoot, plan_command
from harness.boot.site import Site, open_site
from harness.campaign import Planned, run_campaign
from harness.catalogue import find_files, load_files, select_variants
from harness.cli.exit_status import ExitStatus, exit_status, for_bisect
from harness.cli.live import watch
from harness.cli.options import Format, Only, Paths, Results, SetValues, parse_set, paths_or_default
from harness.cli.summary import print_json, print_summary
from harness.clock import monotonic_s
from harness.qemu.command import Wiring, streams_of
from harness.results.provenance import describe_run
from harness.results.record import BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.scenario.setting import Variant

__all__ = ["run"]

_NO_KVM_ASKED = KvmAnswer(False, "KVM was not asked for")


def run(
    paths: Paths = None,
    platform: Annotated[
        Platform | None,
        typer.Option("--platform", help="Run on this grade only; without it, on the best that each scenario can have."),
    ] = None,
    set_values: SetValues = None,
    only: Only = None,
    parallel: Annotated[
        int, typer.Option("-n", "--parallel", min=0, help="Boots at the same time; 0 means one for each CPU.")
    ] = 0,
    results: Results = Path("results"),
    output: Format = "text",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the QEMU command lines and boot nothing.")] = False,
    bisect_exit: Annotated[
        bool, typer.Option("--bisect-exit", help="Exit with 0, 1 or 125, as `git bisect run` wants it.")
    ] = False,
) -> None:
    """Boot every variant of the scenarios, judge each, and record everything under results/.

    Exit status: 0 all passed, 1 a FAIL, 2 bad input, 3 nothing failed but something was INCONCLUSIVE,
    4 ERROR of the host or the harness, 5 nothing could run here, 130 interrupted.
    """
    files = find_files(paths_or_default(paths))
    scenarios = load_files(files, parse_set(set_values), os.environ)
    variants = select_variants(scenarios, only or [])
    if dry_run:
        asyncio.run(_print_commands(variants, platform))
        return
    status = run_variants(variants, platform, parallel, results, output)
    raise typer.Exit(for_bisect(status) if bisect_exit else status)


async def make_plans(variants: Sequence[Variant], site: Site, platform: Platform | None) -> tuple[Planned, ...]:
    """Choose a platform for each variant; KVM is probed only if the choice depends on it.

    :raise InputError: if a setting contradicts itself, or names a file that is missing.
    """
    asked = any(needs_kvm(variant, platform) for variant in variants)
    kvm = await probe_kvm(site) if asked else _NO_KVM_ASKED
    plans = tuple(plan_boot(variant, site.capabilities, kvm, platform) for variant in variants)
    for plan in plans:
        if isinstance(plan, PlannedBoot):
            require_files(plan)
    return plans


def run_variants(
    variants: Sequence[Variant], platform: Platform | None, parallel: int, results: Path, output: str
) -> ExitStatus:
    """Make a run of the variants and print what was found; Ctrl-C ends it with what is finished.

    :raise HarnessError: as the layers below.
    """
    lines: list[BootLine] = []
    run: Run | None = None
    begin_s = monotonic_s()

    async def everything() -> None:
        nonlocal run
        site = await open_site(os.environ)
        plans = await make_plans(variants, site, platform)
        run = create_run(results, describe_run(sys.argv, site.capabilities.binary, site.capabilities.version_text))
        with watch(len(plans), quiet=output == "json") as observer:

            def finished(line: BootLine) -> None:
                lines.append(line)
                observer.finished(line)

            places = parallel or os.cpu_count() or 1
            await run_campaign(plans, site, run, places, type(observer)(observer.progress, finished))

    interrupted = False
    try:
        asyncio.run(everything())
    except KeyboardInterrupt:
        interrupted = True
    if run is None:
        return ExitStatus.INTERRUPTED
    status = ExitStatus.INTERRUPTED if interrupted else exit_status(line.status for line in lines)
    took_s = monotonic_s() - begin_s
    if output == "json":
        print_json(lines, run.folder, took_s, status)
    else:
        missing = len(variants) - len(lines)
        notes = [f"interrupted: {missing} of {len(variants)} boots were not finished"] if interrupted else []
        print_summary(lines, run.folder, took_s, notes)
    return status


async def _print_commands(variants: Sequence[Variant], platform: Platform | None) -> None:
    site = await open_site(os.environ)
    for plan in await make_plans(variants, site, platform):
        if isinstance(plan, RefusedBoot):
            print(f"# {plan.identity.variant}: UNSUPPORTED: {plan.reason}\n")
            continue
        load = await prepare_load(plan.setting, site, plan.accel)
        wiring = Wiring.terminal(streams_of(plan.setting.machine, plan.setting.payload))
        command = plan_command(plan, site, load, wiring, None)
        print(f"# {plan.variant.full_id} on {plan.platform}\n{command.shell()}\n")
