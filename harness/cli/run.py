"""``svsm-harness run``: boot every variant, judge it, and say what was found."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.demand import demanded_image
from harness.boot.hosts import open_host_site
from harness.boot.load import prepare_load
from harness.boot.own_qemu import with_qemu
from harness.boot.plan import RefusedBoot, plan_boots
from harness.boot.run import plan_command
from harness.boot.site import Site
from harness.campaign import Observer, Planned, run_campaign
from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.cli.bisect_exit import CommitQuestion, answer_commit
from harness.cli.exit_status import ExitStatus
from harness.cli.keep import Keep, with_keep
from harness.cli.known import Known, find_known, said_of, statuses_of
from harness.cli.live import watch
from harness.cli.options import Format, HostName, Only, Paths, Results, SetValues, paths_or_default
from harness.cli.summary import exit_status, print_json, print_summary
from harness.clock import monotonic_s, utc_now
from harness.errors import HarnessBug, HostError, InputError
from harness.known.apply import apply_known
from harness.known.entries import KnownIssues
from harness.qemu.command import Wiring, streams_of
from harness.results.provenance import describe_run
from harness.results.record import BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.scenario.setting import Variant

__all__ = ["run", "run_planned"]


def run(
    paths: Paths = None,
    platform: Annotated[
        Platform | None,
        typer.Option("--platform", help="Run on this grade only; without it, on the best that each scenario can have."),
    ] = None,
    host: HostName = "local",
    set_values: SetValues = None,
    only: Only = None,
    known: Known = None,
    parallel: Annotated[
        int, typer.Option("-n", "--parallel", min=0, help="Boots at the same time; 0 means one for each CPU.")
    ] = 0,
    results: Results = Path("results"),
    keep: Keep = False,
    output: Format = "text",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the QEMU command lines and boot nothing.")] = False,
    bisect_exit: Annotated[
        bool,
        typer.Option(
            "--bisect-exit",
            help="Answer `git bisect run`: exit with 0 good, 1 bad, 125 cannot tell, 128 and above to end it.",
        ),
    ] = False,
    boots: Annotated[
        int | None,
        typer.Option(
            "--boots",
            min=1,
            metavar="N",
            help="With --bisect-exit: boot each variant up to N times. The first failure is bad, N clean boots are "
            "good; one that told nothing counts neither way and is made up for.  [default: 1]",
            show_default=False,
        ),
    ] = None,
    signature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="With --bisect-exit: the failure, by a part of its signature; others then count neither way.  "
            "[default: any that is no known issue]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Boot every variant of the scenarios, judge each, and record everything under results/.

    A failure that is a known issue does not fail the run; one that is worse than accepted, or an entry that has
    expired, does. Exit status: 0 all passed, 1 a FAIL, 2 bad input, 3 nothing failed but something was INCONCLUSIVE, 4
    ERROR of the host or the harness, 5 nothing could run here, 130 interrupted.
    """
    if not bisect_exit and (boots is not None or signature):
        raise InputError(
            "--boots and --signature belong to --bisect-exit; to boot often and see how often it fails: "
            "svsm-harness stability SCENARIO --boots N"
        )
    if bisect_exit and dry_run:
        raise InputError("--dry-run boots nothing, and so says nothing of a commit; leave out --bisect-exit")
    issues = find_known(known)
    files = find_files(paths_or_default(paths))
    scenarios = load_files(files, parse_set(set_values), os.environ)
    variants = select_variants(scenarios, only or [])
    if dry_run:
        asyncio.run(_print_commands(variants, platform, host, results))
        return

    def plan(site: Site) -> Awaitable[Sequence[Planned]]:
        return with_keep(plan_boots(variants, site, platform), keep)

    image = demanded_image(variants)
    if bisect_exit:
        question = CommitQuestion(boots or 1, signature or (), issues, parallel)
        raise typer.Exit(answer_commit(question, plan, results, output, host, *image))
    raise typer.Exit(run_planned(plan, len(variants), parallel, results, output, host, *image, issues=issues))


def run_planned(
    plan: Callable[[Site], Awaitable[Sequence[Planned]]],
    total: int,
    parallel: int,
    results: Path,
    output: str,
    host: str = "local",
    kernel: str | None = None,
    modules: str | None = None,
    *,
    issues: KnownIssues | None = None,
) -> ExitStatus:
    """Make a run of the ``total`` boots that ``plan`` chooses on ``host``, and print what was found.

    ``kernel`` and ``modules`` are what a virtual host boots; None: what guests boot.

    ``parallel`` 0 means one for each CPU. ``issues`` are the known issues; None: none are. Ctrl-C ends the
    run with what is finished.

    :raise HarnessError: as the layers below; what was finished is printed first.
    """
    lines: list[BootLine] = []
    runs: list[Run] = []

    async def everything() -> None:
        async with open_host_site(host, os.environ, results, kernel, modules) as site:
            plans = await plan(site)
            runs.append(create_run(results, describe_run(sys.argv)))
            site.keep_log(runs[0].folder)
            with watch(len(plans), quiet=output == "json") as board:

                def finished(line: BootLine) -> None:
                    lines.append(line)
                    board.finished(line)

                observer = Observer(board.progress, finished)
                await run_campaign(plans, site, runs[0], site.at_once(parallel), observer)

    begin_s = monotonic_s()
    error: HostError | KeyboardInterrupt | None = None
    try:
        asyncio.run(everything())
    except (HostError, KeyboardInterrupt) as cause:
        error = cause
    if not runs:
        raise error or HarnessBug("a run without a folder")
    known = apply_known(runs[0], lines, issues or KnownIssues("", (), ()), utc_now().date())
    status = exit_status(statuses_of(lines, known))
    notes = known.sentences()
    if error is not None:
        status = ExitStatus.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitStatus.ERROR
        notes.append(f"ended early: {total - len(lines)} of {total} boots were not finished")
    took_s = monotonic_s() - begin_s
    with suppress(BrokenPipeError):  # whoever reads may leave; whoever waits for the exit status still gets it
        if output == "json":
            print_json(lines, runs[0].folder, took_s, status, known.document())
        else:
            print_summary(said_of(lines, known), runs[0].folder, took_s, notes)
    if isinstance(error, HostError):
        raise error
    return status


async def _print_commands(variants: Sequence[Variant], platform: Platform | None, host: str, results: Path) -> None:
    async with open_host_site(host, os.environ, results, *demanded_image(variants)) as site:
        for plan in await plan_boots(variants, site, platform):
            if isinstance(plan, RefusedBoot):
                print(f"# {plan.identity.variant}: UNSUPPORTED: {plan.reason}")
                if plan.shown is None:
                    print()
                    continue
                for note in plan.notes:
                    print(f"# {note}")
                plan = plan.shown
            load = await prepare_load(plan.setting, site, plan.accel)
            wiring = Wiring.terminal(streams_of(plan.setting.machine, plan.setting.payload))
            there = await with_qemu(site, plan.setting.machine.qemu)
            command = plan_command(plan, there, load, wiring, None)
            print(f"# {plan.variant.full_id} on {plan.platform}\n{command.shell()}\n")
