"""``svsm-harness stability``: boot a scenario many times, and say how often it fails and how sure that is."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.demand import demanded_image
from harness.boot.plan import RefusedBoot, plan_boots
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.cli.boots_loop import BootOptions, Ongoing, Outlook, carry_out, recorded_image
from harness.cli.exit_status import ExitStatus
from harness.cli.keep import Keep
from harness.cli.known import Known, find_known
from harness.cli.options import Format, HostName, Only, PerturbValues, Results, SetValues, set_values_and
from harness.cli.stability_live import watch_campaign
from harness.cli.stability_text import (
    answer_sentence,
    beforehand,
    final_sentence,
    kinds_rows,
    lost_sentence,
    repro_command,
    status_of,
    variants_rows,
)
from harness.cli.table import columns, terminal_width
from harness.clock import monotonic_s, utc_now
from harness.errors import HostError, InputError
from harness.host.protocol import HostKind
from harness.known.apply import KnownReport, apply_known, knower
from harness.known.entries import KnownIssues
from harness.results.provenance import describe_run
from harness.results.store import Run, create_run, find_run
from harness.scenario.model import Platform
from harness.scenario.setting import Variant
from harness.stability.account import count_boots
from harness.stability.goal import Asked, choose_goal, resume_goal
from harness.stability.plan import CampaignPlan, make_plan, read_plan, require_same_parts, with_plan, write_goal
from harness.stability.run import alone, count_run, cut_short

__all__ = ["stability"]


def stability(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="SCENARIO", help="A scenario file.", show_default=False)
    ] = None,
    boots: Annotated[
        int | None,
        typer.Option(
            "--boots", min=1, max=1_000_000, metavar="N", help="How many boots; with a stop rule, how many at most."
        ),
    ] = None,
    max_failure_rate: Annotated[
        str | None,
        typer.Option(metavar="R", help="The failure rate to stay below: 1%.  [default: no failure is accepted]"),
    ] = None,
    confidence: Annotated[
        str | None, typer.Option(metavar="C", help="How sure to be.  [default: 95%]", show_default=False)
    ] = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Stop as soon as the failure rate is known to be below or above R.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(metavar="K:SIGNATURE", help="Stop after K failures whose signature contains SIGNATURE."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a campaign that was cut short; its finished boots count once."),
    ] = None,
    parallel: Annotated[
        int, typer.Option("-n", "--parallel", min=0, help="Boots at the same time; 0 gives each vCPU a CPU.")
    ] = 0,
    platform: Annotated[
        Platform | None, typer.Option("--platform", help="Run on this grade only; without it, on the best there is.")
    ] = None,
    host: HostName = "local",
    known: Known = None,
    perturb: PerturbValues = None,
    set_values: SetValues = None,
    only: Only = None,
    results: Results = Path("results"),
    keep: Keep = False,
    output: Format = "text",
) -> None:
    """Boot a scenario many times, and say how often it fails, how sure that is, and in which ways.

    Variants take turns. N, R and C default to the scenario's stability: section. Exit status: 0 PASS, the rate is below
    R (without R: no boot failed); 1 FAIL, it is above R, or a known issue is worse than accepted or has expired;
    3 UNDECIDED; 2 bad input, 4 ERROR, 5 nothing could run here,
    130 interrupted.
    """
    asked = Asked(boots, max_failure_rate, confidence, sequential, until)
    issues = find_known(known)
    if resume is not None:
        if scenario is not None or set_values or only or platform is not None:
            raise InputError(
                "--resume boots what the run was started with: leave out SCENARIO, --set, --only, --platform"
            )
        run = find_run(results, resume)
        options = BootOptions(run.folder.parent, parallel, host, keep, recorded_image(read_plan(run)))
        raise typer.Exit(_carry_out(lambda site: _resumed(run, asked, issues, site), issues, options, output))
    if scenario is None:
        raise InputError("name a scenario: svsm-harness stability SCENARIO --boots N; or --resume RUN")
    scenarios = load_files(find_files([scenario]), parse_set(set_values_and(perturb, set_values)), os.environ)
    if len(scenarios) > 1:
        names = ", ".join(found.file for found in scenarios[:3])
        raise InputError(f"a campaign measures one scenario; {scenario} has {len(scenarios)}: {names}, …")
    variants = select_variants(scenarios, only or [])
    options = BootOptions(results, parallel, host, keep, demanded_image(variants))
    raise typer.Exit(
        _carry_out(lambda site: _begun(variants, platform, asked, issues, results, site), issues, options, output)
    )


async def _begun(
    variants: Sequence[Variant],
    platform: Platform | None,
    asked: Asked,
    issues: KnownIssues,
    results: Path,
    site: Site,
) -> Ongoing:
    plans = await plan_boots(variants, site, platform)
    planned = [boot for boot in plans if isinstance(boot, PlannedBoot)]
    refused = [boot for boot in plans if isinstance(boot, RefusedBoot)]
    if not planned:
        for boot in refused:
            print(f"svsm-harness: {boot.identity.variant}: UNSUPPORTED: {boot.reason}", file=sys.stderr)
        raise typer.Exit(ExitStatus.NOTHING_RAN)
    goal = choose_goal(asked, [boot.setting.stability for boot in planned])
    plan = await make_plan(goal, planned, site)
    run = create_run(results, with_plan(describe_run(sys.argv), plan))
    return Ongoing(run, plan, count_boots(goal, len(plan.entries), (), knower(run, issues, _today())), refused)


async def _resumed(run: Run, asked: Asked, issues: KnownIssues, site: Site) -> Ongoing:
    recorded = read_plan(run)
    if recorded.arms:
        raise InputError(f"{run.folder} compares settings; go on with svsm-harness compare --resume {run.folder}")
    goal = resume_goal(recorded.goal, asked)
    await require_same_parts(recorded, site)
    plan = CampaignPlan(goal, recorded.entries)
    if goal != recorded.goal:
        with alone(run):
            write_goal(run, goal)
    return Ongoing(run, plan, count_run(run, plan, knower(run, issues, _today())), ())


def _today() -> datetime.date:
    return utc_now().date()


def _carry_out(
    begin: Callable[[Site], Awaitable[Ongoing]], issues: KnownIssues, options: BootOptions, output: str
) -> ExitStatus:
    begin_s = monotonic_s()
    announce = _print_beforehand if output == "text" else _say_nothing
    campaign, error = carry_out(
        begin,
        options,
        announce,
        lambda account, outlook: watch_campaign(account, quiet=output == "json", expected_s=outlook.expected_s),
    )
    account = campaign.account
    known = apply_known(campaign.run, list(account.lines.values()), issues, _today(), watched=not account.exact)
    status = ExitStatus.FAILED if known.fails else status_of(account)
    if error is not None:
        status = ExitStatus.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitStatus.ERROR
    with suppress(BrokenPipeError):  # whoever reads may leave; whoever waits for the exit status still gets it
        if output == "json":
            print(json.dumps(_document(campaign, known, status, monotonic_s() - begin_s), indent=1))
        else:
            _print_summary(campaign, known, error is not None)
    if isinstance(error, HostError):
        raise error
    return status


def _say_nothing(campaign: Ongoing, outlook: Outlook) -> None: ...


def _print_beforehand(campaign: Ongoing, outlook: Outlook) -> None:
    plan, account, goal = campaign.plan, campaign.account, campaign.plan.goal
    several = f", {len(plan.entries)} variants in turn" if len(plan.entries) > 1 else ""
    print(f"{plan.scenario} on {plan.platform}: {goal.boots} boots{several}, {outlook.at_once} at a time")
    for refused in campaign.refused:
        print(f"not part of it: {refused.identity.variant}: UNSUPPORTED: {refused.reason}")
    print(beforehand(goal))
    if account.lines:
        again = cut_short(campaign.run, account)
        print(f"{len(account.lines)} boots are recorded already; {again} were cut short and are made again")
    if (takes := outlook.sentence(account)) is not None:
        print(takes)
    print(f"if this is cut short: {_resume_command(campaign)}\n", flush=True)


def _print_summary(campaign: Ongoing, known: KnownReport, interrupted: bool) -> None:
    account, run = campaign.account, campaign.run
    kinds = account.kinds()
    if kinds:
        print("\n".join(columns(kinds_rows(kinds, str(run.folder)), terminal_width())) + "\n")
    if len(campaign.plan.entries) > 1:
        print("\n".join(columns(variants_rows(account), terminal_width())) + "\n")
    lost = lost_sentence(account)
    if lost is not None:
        print(lost)
    waiting = len(account.lines) - account.counted
    if waiting:
        print(f"{waiting} boots ended before one that was started earlier, and are not counted before it has ended too")
    if account.stop is not None:
        print(f"ended: {account.stop}")
    for sentence in known.sentences():
        print(sentence)
    print(f"{account.answer} on {campaign.plan.platform}: {answer_sentence(account)}")
    print(final_sentence(account))
    print(f"results: {run.folder}" + (f"; go on with: {_resume_command(campaign)}" if interrupted else ""))


def _resume_command(campaign: Ongoing) -> str:
    host = campaign.plan.host
    where = [] if host == HostKind.LOCAL else ["--host", host]
    return shlex.join(["svsm-harness", "stability", "--resume", str(campaign.run.folder), *where])


def _document(campaign: Ongoing, known: KnownReport, status: ExitStatus, took_s: float) -> dict[str, object]:
    account = campaign.account
    low, high = account.interval
    return {
        "results": str(campaign.run.folder),
        "exit_status": int(status),
        "duration_s": round(took_s, 3),
        "scenario": campaign.plan.scenario,
        "platform": campaign.plan.platform,
        "goal": asdict(account.goal),
        "boots": account.counted,
        "bad": account.bad,
        "known_bad": account.known,
        "good": account.good,
        "lost": account.lost,
        "out_of_turn": len(account.lines) - account.counted,
        "stopped": account.stop,
        "answer": account.answer,
        "sentence": final_sentence(account),
        "interval": {"low": low, "high": high, "rule": "exact" if account.exact else "anytime-valid"},
        "kinds": [
            {
                "signature": kind.signature,
                "boots": kind.boots,
                "known": kind.known,
                "first": kind.first.folder,
                "repro": repro_command(str(campaign.run.folder), kind),
            }
            for kind in account.kinds()
        ],
        "known": known.document(),
        "refused": {refused.identity.variant: refused.reason for refused in campaign.refused},
    }
