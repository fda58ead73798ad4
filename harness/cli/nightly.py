"""``svsm-harness nightly``: look at the machine, run the set, spend the rest of the night on campaigns, and report."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from harness.boot.site import open_site
from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.child import Ended, run_child
from harness.cli.exit_status import ExitStatus
from harness.cli.nightly_text import campaign_rows, night_document, worst_of
from harness.cli.options import Only, Paths, Results, SetValues, paths_or_default
from harness.cli.table import columns, terminal_width
from harness.clock import Deadline, monotonic_s, utc_now
from harness.errors import HostError, InputError
from harness.history.baseline import DEFAULT, list_baselines
from harness.nightly.campaigns import Campaign, RoundDone, Skipped, plan_campaigns, spend
from harness.results.files import cannot_write, write_whole
from harness.results.store import Run
from harness.scenario.model import Platform
from harness.scenario.setting import Scenario
from harness.units import format_duration, parse_duration_s

__all__ = ["nightly"]

_FOLDER = "nightly"
# As long as it takes that a campaign's start (a second of Python) is small beside its boots, and that a night has some
# rounds to move its time to where it is needed.
_SHORTEST_ROUND_S, _ROUNDS = 20.0, 40


# What is asked of this night.
@dataclass
class _Night:
    results: Path
    folder: Path
    platform: Platform | None
    only: Sequence[str]
    runs: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def run(self, title: str, *words: str, results: bool = True) -> Ended:
        print(f"\n== {title}: svsm-harness {shlex.join(words)}", flush=True)
        return run_child([*words, "--results", str(self.results)] if results else words)

    def keep(self, name: str, text: str) -> None:
        write_whole(self.folder / name, text.encode())


def nightly(
    paths: Paths = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="How long the night is: 8h, 45m. The set is always run whole.")
    ] = "8h",
    set_values: SetValues = None,
    only: Only = None,
    platform: Annotated[
        Platform | None, typer.Option("--platform", help="Run on this grade only; without it, on the best there is.")
    ] = None,
    results: Results = Path("results"),
    baseline: Annotated[
        str,
        typer.Option(metavar="NAME", help="What the night is compared with, and what a night that passed becomes."),
    ] = DEFAULT,
    move_baseline: Annotated[
        bool, typer.Option("--move-baseline/--keep-baseline", help="Let a night that passed be the next baseline.")
    ] = True,
    days: Annotated[
        float, typer.Option("--days", min=0, metavar="N", help="Logs of boots older than N days may be deleted.")
    ] = 30,
    size: Annotated[
        str | None, typer.Option("--size", metavar="SIZE", help="So many logs are kept in all (20G), the oldest go.")
    ] = None,
) -> None:
    """Make one night: doctor, the scenario set, stability campaigns until the time is spent, the report, the baseline.

    The night goes where failure rates are known worst; boots of earlier nights count as long as nothing of the build
    has changed. results/nightly/latest has the page (report.html), report.junit.xml, summary.txt and night.json. The
    baseline moves when the night passed, and is made when there is none and nothing failed. Exit status, of the set
    and all campaigns: 1 a FAIL, 4 ERROR (also of the report), 3 INCONCLUSIVE or a rate that is still undecided, 0 all
    passed, 5 nothing could run here, 2 bad input, 130 interrupted.
    """
    begin_s = monotonic_s()
    try:
        night_ends = Deadline.after(parse_duration_s(budget))
    except ValueError as error:
        raise InputError(f"--budget: {error}") from error
    values = parse_set(set_values)
    scenarios = load_files(find_files(paths_or_default(paths)), values, os.environ)
    select_variants(scenarios, only or [])
    folder = _new_folder(results)
    lock = FileLock(results / _FOLDER / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        folder.rmdir()
        raise InputError(f"another night is being made in {results}; wait for it, or name another --results") from error
    with lock:
        night = _Night(results, folder, platform, only or [])
        _make(night, scenarios, values, night_ends)
        status = worst_of(night.statuses)
        status = _report(night, baseline, status)
        if move_baseline:
            _move_baseline(night, baseline, status)
        _prune(night, days, size)
    name = folder.name
    _point_to(folder)
    print(f"\nnight {name}: exit status {int(status)}, {format_duration(monotonic_s() - begin_s)}")
    print(f"page: {folder / 'report.html'}")
    raise typer.Exit(status)


def _new_folder(results: Path) -> Path:
    folder = results / _FOLDER / f"{utc_now():%Y%m%d-%H%M%S}-{os.getpid()}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _make(night: _Night, scenarios: Sequence[Scenario], values: Mapping[str, str], ends: Deadline) -> None:
    doctor = night.run("What this machine can do", "doctor", results=False)
    night.keep("doctor.txt", doctor.out)
    files = [scenario.file for scenario in scenarios]
    ran = night.run("The scenario set", "run", *files, *_options(night, values), "--format", "json")
    night.statuses.append(_meant(ran))
    if ran.out:
        document = json.loads(ran.out)
        night.runs.append(document["results"])
        print(f"{len(document['boots'])} boots, exit status {ran.status}: {document['results']}")
    if ran.status in (ExitStatus.BAD_INPUT, ExitStatus.INTERRUPTED):
        return
    planned = asyncio.run(_plan(night, scenarios, values))
    round_s = max(_SHORTEST_ROUND_S, ends.remaining_s / _ROUNDS)
    campaigns = spend(
        [found for found in planned if isinstance(found, Campaign)],
        ends,
        min(round_s, max(1.0, ends.remaining_s / 4)),
        lambda campaign, boots: _round(night, campaign, boots),
    )
    skipped = [found for found in planned if isinstance(found, Skipped)]
    night.keep("night.json", json.dumps(night_document(campaigns, skipped, night.runs, ends.remaining_s), indent=1))
    for campaign in campaigns:
        if campaign.run is not None:
            night.runs.append(str(campaign.run.folder))
        night.statuses.append(_status(night, campaign))
    if planned:
        print()
        print("\n".join(columns(campaign_rows(campaigns, skipped), terminal_width())))


async def _plan(
    night: _Night, scenarios: Sequence[Scenario], values: Mapping[str, str]
) -> tuple[Campaign | Skipped, ...]:
    site = await open_site(os.environ)
    return await plan_campaigns(scenarios, night.only, values, night.platform, site, night.results)


def _status(night: _Night, campaign: Campaign) -> int:
    if campaign.status is not None:
        return campaign.status
    if campaign.run is None or campaign.carried < campaign.boots:
        return ExitStatus.INCONCLUSIVE  # no time was left for what nobody knows
    # What earlier nights found of this build holds; nothing is booted for it.
    words = ["stability", "--resume", str(campaign.run.folder), "--format", "json"]
    return night.run(f"{campaign.arm.name}: as known from earlier nights", *words).status


def _round(night: _Night, campaign: Campaign, boots: int) -> RoundDone:
    begin_s = monotonic_s()
    if campaign.run is None:
        words = ["stability", campaign.file, *campaign.options, "--boots", str(boots)]
    else:
        counted = max(campaign.boots, campaign.carried + campaign.made)
        words = ["stability", "--resume", str(campaign.run.folder), "--boots", str(counted + boots)]
    title = f"{campaign.arm.name}: {boots} boots more"
    done = night.run(title, *words, "--format", "json")
    took_s = monotonic_s() - begin_s
    if done.status == ExitStatus.INTERRUPTED:
        raise KeyboardInterrupt
    if not done.out:
        return RoundDone(_meant(done), took_s)
    document = json.loads(done.out)
    print(f"{document['answer']}: {document['sentence']}")
    bad, known, good = document["bad"], document["known_bad"], document["good"]
    run = Run(Path(document["results"]))
    return RoundDone(done.status, took_s, run, bad, bad + known + good, document["boots"])


def _meant(done: Ended) -> int:
    # Python ends with 1 after a traceback. Without a document, that is no FAIL of what was tested.
    return ExitStatus.ERROR if done.status == ExitStatus.FAILED and not done.out else done.status


def _options(night: _Night, values: Mapping[str, str]) -> list[str]:
    words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    words += [word for name in night.only for word in ("--only", name)]
    return [*words, "--platform", night.platform] if night.platform is not None else words


def _report(night: _Night, baseline: str, status: ExitStatus) -> ExitStatus:
    if not night.runs:
        return status
    compared = ["--baseline", baseline] if baseline in list_baselines(night.results) else []
    for kind, name in (("--html", "report.html"), ("--junit", "report.junit.xml"), ("--text", "summary.txt")):
        words = ["report", *night.runs, kind, *compared, "-o", str(night.folder / name)]
        done = night.run("Report", *words)
        if done.status != ExitStatus.PASSED:
            status = worst_of([status, ExitStatus.ERROR])
    summary = night.folder / "summary.txt"
    if summary.exists():
        print(f"\n{summary.read_text()}")
    return status


def _move_baseline(night: _Night, baseline: str, status: ExitStatus) -> None:
    exists = baseline in list_baselines(night.results)
    if status is ExitStatus.PASSED or (status is ExitStatus.INCONCLUSIVE and not exists):
        print(night.run("Baseline", "history", "--set-baseline", baseline, *night.runs).out, end="")
    else:
        why = "this night did not pass" if exists else "there is none, and this night is none to compare with"
        print(f"\nbaseline {baseline} stays as it is: {why}")


def _prune(night: _Night, days: float, size: str | None) -> None:
    limit = ["--size", size] if size is not None else []
    print(night.run("Retention", "prune", "--days", f"{days:g}", *limit, "--yes").out, end="")


def _point_to(folder: Path) -> None:
    link = folder.with_name(f".latest-{folder.name}")
    try:
        link.symlink_to(folder.name)
        link.replace(folder.with_name("latest"))
    except OSError as error:
        raise HostError(f"cannot write {folder.with_name('latest')}: {error.strerror}") from error
