"""``svsm-harness compare``: say what differs between recorded runs, or between settings that are booted interleaved."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.demand import demanded_image
from harness.boot.site import Site
from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.cli.boots_loop import BootOptions, Ongoing, Outlook, carry_out, recorded_image
from harness.cli.compare_text import document, kinds_rows, notes, sentences, status_of_all, times_rows
from harness.cli.exit_status import ExitStatus
from harness.cli.options import Format, HostName, Only, PerturbValues, Results, SetValues, set_values_and
from harness.cli.stability_live import watch_campaign
from harness.cli.table import columns, terminal_width
from harness.compare.arms import Arm, planned_arms, recorded_arms
from harness.compare.findings import Comparison, compare_arms
from harness.compare.plan import load_arms, make_comparison, plan_arms
from harness.compare.settings import TypedSetting, read_settings
from harness.errors import HostError, InputError
from harness.host.protocol import HostKind
from harness.results.provenance import describe_run
from harness.results.store import Run, create_run, find_run, read_about
from harness.scenario.model import Platform
from harness.scenario.setting import Variant
from harness.stability.account import Account, count_boots
from harness.stability.plan import CampaignPlan, place_of_turn, read_plan, require_same_parts, with_plan
from harness.stability.run import count_run, cut_short
from harness.units import parse_rate

__all__ = ["compare"]


def compare(
    sides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A] [B]...",
            help="Recorded runs: RUN, or RUN:NAME for one scenario or variant of it; one RUN alone if it was made by "
            "compare. With --scenario: settings, each '[LABEL: ]KEY=VALUE[; KEY=VALUE]…', or - for the scenario as "
            "it is. The first is what the others are compared with.",
            show_default=False,
        ),
    ] = None,
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", metavar="FILE", help="Boot this scenario with each setting, interleaved."),
    ] = None,
    boots: Annotated[
        int | None,
        typer.Option("--boots", min=1, max=1_000_000, metavar="N", help="Boots of each setting.", show_default=False),
    ] = None,
    confidence: Annotated[str, typer.Option(metavar="C", help="How sure a claim must be.")] = "95%",
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a comparison that was cut short.", show_default=False)
    ] = None,
    parallel: Annotated[
        int, typer.Option("-n", "--parallel", min=0, help="Boots at the same time; 0 gives each vCPU a CPU.")
    ] = 0,
    platform: Annotated[
        Platform | None, typer.Option("--platform", help="Run on this grade only; without it, on the best there is.")
    ] = None,
    host: HostName = "local",
    perturb: PerturbValues = None,
    set_values: SetValues = None,
    only: Only = None,
    results: Results = Path("results"),
    output: Format = "text",
) -> None:
    """Say what differs between recorded runs, or between settings that are booted interleaved: failure rates, kinds of
    failure, times of start-up.

    svsm-harness compare --scenario F 'machine.cpu=max' 'machine.cpu=max,-cx16' --boots 40

    Where nothing differs, fewer than 5% of all comparisons claim that anything does. Exit status: 0 nothing is shown to
    be worse than in A; 1 something is; 3 too many boots told nothing; 2 bad input, 4 ERROR, 5 nothing could run here,
    130 interrupted.
    """
    sure = _confidence(confidence)
    typed = sides or []
    if resume is not None:
        if typed or scenario is not None or boots is not None or set_values or only or platform is not None:
            raise InputError("--resume boots what the run was started with: leave out all but -n, --host and --format")
        run = find_run(results, resume)
        options = BootOptions(run.folder.parent, parallel, host, image=recorded_image(read_plan(run)))
        raise typer.Exit(_carry_out(lambda site: _resumed(run, site), options, output))
    if scenario is None:
        if boots is not None or set_values or only or platform is not None:
            raise InputError("--boots, --set, --only and --platform are for settings: name the --scenario to boot")
        raise typer.Exit(_say(_recorded(results, typed), sure, output, {}, ()))
    settings = read_settings(typed)
    if boots is None:
        raise InputError("say how many boots of each setting: --boots 40")

    def load(values: Mapping[str, str]) -> Sequence[Variant]:
        scenarios = load_files(find_files([scenario]), values, os.environ)
        if len(scenarios) > 1:
            raise InputError(f"one scenario is compared in several settings; {scenario} has {len(scenarios)}")
        return select_variants(scenarios, only or [])

    arms = load_arms(settings, parse_set(set_values_and(perturb, set_values)), load)
    image = demanded_image([variant for arm in arms for variant in arm])
    options = BootOptions(results, parallel, host, image=image)
    raise typer.Exit(
        _carry_out(lambda site: _begun(settings, arms, platform, boots, sure, results, site), options, output)
    )


def _confidence(text: str) -> float:
    try:
        confidence = parse_rate(text)
    except ValueError as error:
        raise InputError(f"--confidence: {error}") from error
    if not 0.5 <= confidence < 1:
        raise InputError("--confidence must be at least 50% and below 100%")
    return confidence


def _recorded(results: Path, names: Sequence[str]) -> tuple[Arm, ...]:
    if len(names) == 1:
        run = find_run(results, names[0])
        plan = read_plan(run) if "stability" in read_about(run) else None
        if plan is None or not plan.arms:
            raise InputError(f"{names[0]} alone is no comparison; name two runs, or two of its variants as RUN:VARIANT")
        return planned_arms(run, plan)
    if not names:
        raise InputError(
            "name two recorded runs: svsm-harness compare A B; or settings: svsm-harness compare --scenario F "
            "'machine.cpu=max' 'machine.cpu=max,-cx16' --boots 40"
        )
    return recorded_arms(results, names)


async def _begun(
    settings: Sequence[TypedSetting],
    arms: Sequence[Sequence[Variant]],
    platform: Platform | None,
    boots: int,
    confidence: float,
    results: Path,
    site: Site,
) -> Ongoing:
    planned, refused = await plan_arms(arms, site, platform)
    if refused:
        # A comparison without one of its sides is none.
        for boot in refused:
            print(f"svsm-harness: {boot.identity.variant}: UNSUPPORTED: {boot.reason}", file=sys.stderr)
        raise typer.Exit(ExitStatus.NOTHING_RAN)
    plan = await make_comparison(settings, planned, site, boots, confidence, secrets.randbits(32))
    run = create_run(results, with_plan(describe_run(sys.argv), plan))
    return Ongoing(run, plan, count_boots(plan.goal, len(plan.entries), ()), ())


async def _resumed(run: Run, site: Site) -> Ongoing:
    plan = read_plan(run)
    if not plan.arms:
        raise InputError(f"{run.folder} compares nothing; go on with svsm-harness stability --resume {run.folder}")
    await require_same_parts(plan, site)
    return Ongoing(run, plan, count_run(run, plan), ())


def _carry_out(begin: Callable[[Site], Awaitable[Ongoing]], options: BootOptions, output: str) -> ExitStatus:
    plans: list[CampaignPlan] = []

    def announce(ongoing: Ongoing, outlook: Outlook) -> None:
        plans.append(ongoing.plan)
        if output == "text":
            _print_beforehand(ongoing, outlook)

    ongoing, error = carry_out(
        begin,
        options,
        announce,
        lambda account, outlook: watch_campaign(
            account, output == "json", lambda account: _standing(account, plans[0]), outlook.expected_s
        ),
    )
    arms = planned_arms(ongoing.run, ongoing.plan)
    about: dict[str, object] = {"results": str(ongoing.run.folder)}
    left = len(ongoing.account.missing())
    further = []
    if left:
        further.append(
            f"{left} of {ongoing.plan.goal.boots} boots are missing, and whether to stop should not depend on what was "
            f"seen; go on with: {_resume_command(ongoing)}"
        )
    status = _say(arms, ongoing.plan.goal.confidence, output, about, [*further, f"results: {ongoing.run.folder}"])
    if isinstance(error, HostError):
        raise error
    return status if error is None else ExitStatus.INTERRUPTED


def _standing(account: Account, plan: CampaignPlan) -> str:
    counts = []
    for at, arm in enumerate(plan.arms):
        lines = [line for turn, line in account.lines.items() if place_of_turn(plan, turn).arm == at]
        failed = sum(line.status == "FAIL" for line in lines)
        counts.append(f"{arm.partition(':')[0]} {failed} of {len(lines)}")
    return f"failed: {', '.join(counts)}"


def _print_beforehand(ongoing: Ongoing, outlook: Outlook) -> None:
    plan = ongoing.plan
    each = plan.goal.boots // len(plan.arms)
    print(f"{plan.scenario} on {plan.platform}: {each} boots of each setting, interleaved, {outlook.at_once} at a time")
    for arm in plan.arms:
        print(f"  {arm}")
    if ongoing.account.lines:
        again = cut_short(ongoing.run, ongoing.account)
        print(f"{len(ongoing.account.lines)} boots are recorded already; {again} were cut short and are made again")
    if (takes := outlook.sentence(ongoing.account)) is not None:
        print(takes)
    print(f"if this is cut short: {_resume_command(ongoing)}\n", flush=True)


def _resume_command(ongoing: Ongoing) -> str:
    host = ongoing.plan.host
    where = [] if host == HostKind.LOCAL else ["--host", host]
    return shlex.join(["svsm-harness", "compare", "--resume", str(ongoing.run.folder), *where])


def _say(
    arms: Sequence[Arm], confidence: float, output: str, about: Mapping[str, object], further: Sequence[str]
) -> ExitStatus:
    comparisons = compare_arms(arms, confidence)
    status = status_of_all(comparisons)
    with suppress(BrokenPipeError):  # whoever reads may leave; whoever waits for the exit status still gets it
        if output == "json":
            answer = {
                **about,
                "exit_status": int(status),
                "confidence": confidence,
                "comparisons": [document(found) for found in comparisons],
            }
            print(json.dumps(answer, indent=1))
        else:
            _print(comparisons, further)
    return status


def _print(comparisons: Sequence[Comparison], further: Sequence[str]) -> None:
    for found in comparisons:
        print("\n".join(sentences(found)) + "\n")
    for found in comparisons:
        for rows in (kinds_rows(found), times_rows(found)):
            if len(rows) > 1:
                print("\n".join(columns(rows, terminal_width())) + "\n")
    for note in (*notes(comparisons), *further):
        print(note)
