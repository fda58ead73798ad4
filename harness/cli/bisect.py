"""``svsm-harness bisect``: find which commit, file or difference of settings makes a failure."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.demand import demanded_image
from harness.catalogue import parse_set
from harness.cli.bisect_config import At, BadConfig, ConfigPath, GoodConfig, config_source, require_configs
from harness.cli.bisect_live import Board, watch_search
from harness.cli.bisect_recorded import BadRuns, GoodRuns, require_same_cpu, require_same_parts, with_recorded
from harness.cli.bisect_report import print_conclusion, print_replay, stopped_at_limit, write_files
from harness.cli.bisect_simulate import (
    BootTime,
    BuildTime,
    Candidates,
    Flake,
    Rates,
    SwitchTime,
    simulated_scenes,
    simulation_table,
)
from harness.cli.exit_status import ExitStatus
from harness.cli.options import Format, HostName, Only, Results, SetValues
from harness.errors import HarnessError, HostError, InputError
from harness.host.cache import cache_dir
from harness.regress.bisect_host import open_bisect_host
from harness.regress.boots import Booter
from harness.regress.build import require_build_options
from harness.regress.conclusion import Conclusion
from harness.regress.git_range import Repository
from harness.regress.journal import HostOpened, Journal
from harness.regress.kernel_value import settle_kernels
from harness.regress.refusals import ends, one_variant, require_sound
from harness.regress.search import Searcher
from harness.regress.session import conclude
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec, read_spec, with_spec
from harness.results.provenance import describe_run
from harness.results.store import Run, create_run, find_run
from harness.scenario.model import Platform
from harness.stats.bisect import AnswerKind
from harness.units import parse_duration_s, parse_rate

__all__ = ["bisect"]

_STATUS = {
    AnswerKind.FOUND: ExitStatus.PASSED,
    AnswerKind.GROUP: ExitStatus.PASSED,
    AnswerKind.BEFORE: ExitStatus.FAILED,
    AnswerKind.ABSENT: ExitStatus.FAILED,
    AnswerKind.SWAPPED: ExitStatus.BAD_INPUT,
    AnswerKind.UNDECIDED: ExitStatus.INCONCLUSIVE,
}


def bisect(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="SCENARIO", help="The scenario that fails.", show_default=False)
    ] = None,
    git: Annotated[
        Path | None, typer.Option("--git", metavar="REPO", help="Search the commits of this repository.")
    ] = None,
    good: Annotated[str | None, typer.Option(metavar="REV", help="With --git: a commit without the failure.")] = None,
    bad: Annotated[str | None, typer.Option(metavar="REV", help="With --git: a commit with it.")] = None,
    build: Annotated[
        str | None, typer.Option(metavar="CMD", help="With --git: the shell command that builds, run in a worktree.")
    ] = None,
    artifact: Annotated[
        str | None, typer.Option(metavar="PATH", help="With --git: the file that it makes, in the worktree.")
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="With --git: the variable or key that takes that file: payload.image, host.kernel."
        ),
    ] = None,
    build_limit: Annotated[str, typer.Option(metavar="T", help="With --git: give up a build after this time.")] = "2h",
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            metavar="KEY=A,B,…",
            help="Search this list, from good to bad: guest.kernel=old,new. With host.kernel, the host is rebooted. A "
            "kernel is an image, IMAGE:MODULES, a .deb or .tar, a package name, or a release that the host has. May "
            "be repeated.",
            show_default=False,
        ),
    ] = None,
    good_set: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A setting without the failure; may be repeated.", show_default=False),
    ] = None,
    bad_set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="The same with it: which differences matter? CPU flags, machine.options=[-d, int], machine.devices "
            "and the words of guest.append are taken apart.",
            show_default=False,
        ),
    ] = None,
    good_config: GoodConfig = None,
    bad_config: BadConfig = None,
    config_path: ConfigPath = ".config",
    at: At = "HEAD",
    signature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="The failure: a part of its signature. Other failures then count neither way.  [default: any failure]",
            show_default=False,
        ),
    ] = None,
    confidence: Annotated[str, typer.Option(metavar="C", help="How sure to be.")] = "95%",
    min_rate: Annotated[str, typer.Option(metavar="R", help="The least failure rate that matters.")] = "1%",
    good_run: GoodRuns = None,
    bad_run: BadRuns = None,
    boots: Annotated[
        int | None,
        typer.Option(
            "--boots",
            min=1,
            metavar="N",
            help="Stop each search undecided after so many of its own (checks that something is enough have no "
            "limit); with --resume, N in all.",
            show_default=False,
        ),
    ] = None,
    parallel: Annotated[int, typer.Option("-n", "--parallel", min=1, help="Boots at the same time.")] = 1,
    platform: Annotated[Platform | None, typer.Option("--platform", help="Run on this grade only.")] = None,
    host: HostName = "local",
    set_values: SetValues = None,
    only: Only = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a bisection that was cut short.")
    ] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="RUN", help="Derive the answer again from a journal; boots nothing.")
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Print how often this and other ways are right, and what they cost.")
    ] = False,
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="With --simulate: how many runs a row.")] = 2000,
    rates: Rates = None,
    flake: Flake = None,
    candidates: Candidates = None,
    boot_time: BootTime = None,
    switch_time: SwitchTime = None,
    build_time: BuildTime = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw how it narrowed, as .svg or .png.", show_default=False)
    ] = None,
    results: Results = Path("results"),
    output: Format = "text",
) -> None:
    """Find what makes a failure that does not happen in every boot, and say how sure that is.

    Name what is searched by --git, --list, or --good-set with --bad-set; several of them are components (kernel, QEMU,
    SVSM, firmware): the one that carries the failure comes first, then where in it. The failure rate is learnt; each
    step boots what tells most for its cost. Exit status: 0 found; 1 no difference: the bad end does not fail, or the
    good end does; 2 bad input, or the ends are swapped; 3 undecided; 4 ERROR; 130 interrupted (go on with --resume).

    Kernel configurations are --good-config and --bad-config with --git REPO: one commit is built in a worktree with
    merges of both, put at --config-path. Let --build begin with `make olddefconfig`, which asks nothing.

    Host kernels (host.kernel) are switched on --host virtual, whose first level reboots, and on a machine whose entry
    in ci/hosts.yaml has a kernel: section. Nothing else that is searched reboots a host.
    """
    times = (boot_time, switch_time, build_time)
    if simulate:
        if scenario is not None or git is not None or values or bad_set or boots is not None:
            raise InputError("--simulate boots nothing: leave out the scenario, what to search, and --boots")
        scenes = simulated_scenes(rates, flake, candidates, times, parallel)
        sure, least = parse_rate_option("--confidence", confidence), parse_rate_option("--min-rate", min_rate)
        for line in simulation_table(runs, sure, least, scenes):
            print(line, flush=True)
        return
    if any(given is not None for given in (rates, flake, candidates, *times)):
        raise InputError(
            "--rates, --flake, --candidates and the times of boots, switches and builds go with --simulate"
        )
    if replay is not None:
        raise typer.Exit(print_replay(find_run(results, replay), plot, output, _STATUS))
    if resume is not None:
        run = find_run(results, resume)
        spec = read_spec(run)
        spec = spec if boots is None else replace(spec, max_boots=boots)
    else:
        if scenario is None:
            raise InputError(
                "name a scenario, and what to search: svsm-harness bisect SCENARIO --git, --list or --bad-set"
            )
        configs = require_configs(good_config, bad_config, git, (good, bad))
        if not (git or values or bad_set):
            raise InputError("name what to search: --git, --list, or --good-set with --bad-set")
        if good_set and not bad_set:
            raise InputError("--good-set needs --bad-set: the same keys with the failure")
        if configs is not None and (values or bad_set):
            raise InputError("kernel configurations are searched by themselves; leave --list and --bad-set out")
        source = None
        if git is not None and configs is not None:
            options = require_build_options(build, artifact, into)
            source = config_source(git, at, config_path, options, _limit_s(build_limit))
        elif git is not None:
            source = _git_source(git, good, bad, build, artifact, into, build_limit)
        spec = Spec(
            scenario=str(scenario.resolve()),
            fixed=parse_set(set_values),
            only=tuple(only or ()),
            platform=platform,
            signatures=tuple(signature or ()),
            confidence=parse_rate_option("--confidence", confidence),
            min_rate=parse_rate_option("--min-rate", min_rate),
            max_boots=boots,
            good_end_first=True,
            git=source,
            lists=tuple(_list_source(text) for text in values or ()),
            setting=None if not bad_set else SettingSource(parse_set(good_set), parse_set(bad_set)),
            host=host,
        )
        require_sound(spec, os.environ)
        spec = with_recorded(spec, results, good_run, bad_run, os.environ)
        run = create_run(results, with_spec(describe_run(sys.argv), spec))
        if configs is not None:
            configs.keep(run.folder)
    try:
        with watch_search(quiet=output == "json") as board:
            conclusion = asyncio.run(_carry_out(spec, run, parallel, board))
    except BaseException:
        limit = [] if boots is None or resume is None else ["--boots", str(boots)]
        beside = [] if parallel == 1 else ["-n", str(parallel)]
        command = shlex.join(["svsm-harness", "bisect", "--resume", str(run.folder), *limit, *beside])
        print(f"the journal is kept: {run.folder / 'journal.jsonl'}; go on with: {command}", file=sys.stderr)
        raise
    write_files(run, conclusion, plot)
    print_conclusion(run, conclusion, output)
    if spec.max_boots is not None and output == "text" and stopped_at_limit(run):
        print(f"to go on: svsm-harness bisect --resume {run.folder} --boots {2 * spec.max_boots}")
    raise typer.Exit(_STATUS[conclusion.kind])


async def _carry_out(spec: Spec, run: Run, parallel: int, board: Board) -> Conclusion:
    environment = dict(os.environ)
    journal = Journal(run.folder / "journal.jsonl")
    shared: tuple[str | None, str | None] = (None, None)
    if not spec.switching:
        # What all positions demand of a virtual host; what they differ in is no part of it.
        shared = demanded_image(one_variant(spec, ends(spec)["good"], environment))

    def opened(entry: HostOpened) -> None:
        journal.append(entry)
        require_same_cpu(spec, entry)

    opening = open_bisect_host(
        spec.host, environment, run, opened, board.say, spec.fixed, switching=spec.switching, shared=shared
    )
    try:
        async with opening as host:
            booter = Booter(
                Path(spec.scenario), spec.fixed, spec.only, spec.platform, spec.signatures, host.site, run, environment,
                board.boot,
            )  # fmt: skip
            await require_same_parts(spec, booter)
            searcher = Searcher(
                journal,
                booter.boot,
                parallel,
                switch_s=host.switch_s,
                say=board.say,
                show=board.show,
                settle=lambda values: settle_kernels(values, cache_dir(environment)),
                host=host,
            )
            conclusion = await conclude(spec, searcher, cache_dir(environment) / "bisect", environment)
            if host.left_with is not None:
                searcher.say(host.left_with)
            return conclusion
    except* (InputError, HostError) as errors:
        raise _first(errors) from None


def _first(group: BaseExceptionGroup[InputError | HostError]) -> HarnessError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HarnessError)
    return error


def parse_rate_option(option: str, text: str) -> float:
    """Read a rate above 0% and below 100%.

    :raise InputError: if it is something else.
    """
    try:
        rate = parse_rate(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error
    if not 0 < rate < 1:
        raise InputError(f"{option} {text}: write a rate above 0% and below 100%")
    return rate


def _git_source(
    folder: Path,
    good: str | None,
    bad: str | None,
    build: str | None,
    artifact: str | None,
    into: str | None,
    limit: str,
) -> GitSource:
    if good is None or bad is None:
        raise InputError("--git needs --good REV and --bad REV")
    build, artifact, into = require_build_options(build, artifact, into)
    repository = Repository(folder.resolve())
    repository.require_clean()
    commits = repository.commits(good, bad)
    return GitSource(str(folder.resolve()), commits[0].hash, commits[-1].hash, build, artifact, into, _limit_s(limit))


def _limit_s(text: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise InputError(f"--build-limit: {error}") from error


def _list_source(text: str) -> ListSource:
    key, equals, rest = text.partition("=")
    found = tuple(value for value in rest.split(",") if value)
    if not equals or not key or len(found) < 2:
        raise InputError(f"--list {text}: write KEY=A,B,… with at least two values, from good to bad")
    return ListSource(key, found)
