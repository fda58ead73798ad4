"""Run scenarios under pytest: every variant is an item, made by the same code as ``svsm-harness run``.

A scenario is a YAML file in a folder called ``scenarios``, so that other YAML files of a project are left alone. All
workers of one session write into one run under ``results/``, and each opens the host for itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest._code.code import TerminalRepr

from harness.boot.demand import demanded_image
from harness.boot.holder import Holder
from harness.boot.hosts import open_host_site
from harness.boot.plan import plan_boots
from harness.boot.site import Site
from harness.campaign import record_boot
from harness.catalogue import KNOWN_ISSUES, load_files, parse_set
from harness.checks.base import Status
from harness.clock import utc_now
from harness.errors import HarnessError, InputError, ScenarioError
from harness.known.apply import knower
from harness.known.entries import KnownIssues, read_known_issues
from harness.results.provenance import describe_run
from harness.results.record import BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.scenario.setting import Variant

__all__ = ["ScenarioFile", "VariantFailed", "VariantItem"]


# A host is opened by the first item that boots, and held until the session ends: one event loop for all of it.
@dataclass(frozen=True)
class _Opened:
    runner: asyncio.Runner
    holder: Holder[Site]
    site: Site


_OPENED = pytest.StashKey[_Opened]()
_RUN = pytest.StashKey[Run]()
_ISSUES = pytest.StashKey[KnownIssues]()


class VariantFailed(Exception):
    """Carry the line of a boot that did not pass."""

    def __init__(self, line: BootLine) -> None:
        """Take the line."""
        self.line = line
        super().__init__(line.reason)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``svsm-harness run`` has too."""
    group = parser.getgroup("svsm-harness")
    group.addoption("--host", default="local", metavar="HOST", help="as svsm-harness run --host")
    group.addoption("--set", action="append", default=[], metavar="KEY=VALUE", help="as svsm-harness run --set")
    group.addoption("--platform", type=Platform, default=None, help="as svsm-harness run --platform")
    group.addoption("--known", type=Path, default=None, metavar="FILE", help="as svsm-harness run --known")
    group.addoption("--results", type=Path, default=Path("results"), help="folder that keeps the records of all runs")


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> ScenarioFile | None:
    """Collect YAML files below a folder called ``scenarios``."""
    if file_path.name == KNOWN_ISSUES:
        return None
    if file_path.suffix == ".yaml" and "scenarios" in file_path.parts[:-1]:
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    """Be one scenario file."""

    def collect(self) -> Iterator[VariantItem]:
        """Yield an item for each variant.

        :raise CollectError: with every problem as file:line:column.
        """
        try:
            (scenario,) = load_files([self.path], parse_set(self.config.getoption("--set")), os.environ)
        except (ScenarioError, InputError) as error:
            raise self.CollectError(str(error)) from error
        for variant in scenario.variants:
            yield VariantItem.from_parent(self, name=variant.full_id, variant=variant)


class VariantItem(pytest.Item):
    """Boot one variant and judge it."""

    def __init__(self, *, variant: Variant, **keywords: object) -> None:
        """Take the variant, and what pytest hands on."""
        super().__init__(**keywords)  # type: ignore[arg-type]
        self.variant = variant
        for tag in variant.tags:
            self.keywords[tag] = True

    def runtest(self) -> None:
        """Make the boot; its record counts before its verdict does.

        :raise VariantFailed: unless it passed.
        """
        opened = _open(self.session)
        line = opened.runner.run(self._boot(opened.site))
        self.user_properties += [("grade", str(line.identity.platform)), ("verdict", str(line.status))]
        if line.folder is not None:
            self.user_properties.append(("results", str(_run(self.config).folder / line.folder)))
        if line.status is Status.UNSUPPORTED:
            pytest.skip(line.reason)
        if line.status is not Status.PASS:
            issue = knower(_run(self.config), _issues(self.config), utc_now().date())(line)
            if issue is not None:
                self.user_properties.append(("known_issue", issue))
                # One boot shows no rate; `svsm-harness stability` holds it against the accepted one.
                pytest.xfail(f"known issue {issue}: {line.reason}")
            raise VariantFailed(line)

    async def _boot(self, site: Site) -> BootLine:
        (plan,) = await plan_boots([self.variant], site, self.config.getoption("--platform"))
        return await record_boot(plan, site, _run(self.config), lambda progress: None)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str | TerminalRepr:
        """Show the verdicts and where the record is, not our own stack."""
        error = excinfo.value
        if isinstance(error, VariantFailed):
            line = error.line
            rows = [f"{verdict.status} {verdict.check}: {verdict.reason}" for verdict in line.verdicts]
            folder = _run(self.config).folder
            where = str(folder if line.folder is None else folder / line.folder)
            return "\n".join([f"{line.status} on {line.identity.platform}: {line.reason}", *rows, f"record: {where}"])
        if isinstance(error, HarnessError):
            return str(error)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the item by its variant."""
        return self.path, None, self.name


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's, which -p no:xdist leaves out
def pytest_configure_node(node: object) -> None:
    """Give every worker of pytest-xdist the run of the session."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    node.workerinput["svsm_harness_run"] = str(_run(config).folder)  # type: ignore[attr-defined]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave the host, and fail a session whose known issues have expired, if it ran scenarios."""
    opened = session.config.stash.get(_OPENED, None)
    if opened is not None:
        with opened.runner:
            opened.runner.run(opened.holder.leave())
    if _RUN in session.config.stash and _issues(session.config).expired(utc_now().date()) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the folder of the run, if there was one."""
    if _RUN in config.stash:
        for expired in _issues(config).expired(utc_now().date()):
            terminalreporter.write_line(expired)
        terminalreporter.write_line(f"results: {config.stash[_RUN].folder}")


def _open(session: pytest.Session) -> _Opened:
    config = session.config
    if _OPENED not in config.stash:
        image = demanded_image([item.variant for item in session.items if isinstance(item, VariantItem)])
        results: Path = config.getoption("--results")
        holder = Holder[Site]()
        runner = asyncio.Runner()
        try:
            where = open_host_site(config.getoption("--host"), os.environ, results, *image)
            site = runner.run(holder.enter(where))
        except BaseException:
            runner.close()
            raise
        site.keep_log(_run(config).folder)
        config.stash[_OPENED] = _Opened(runner, holder, site)
    return config.stash[_OPENED]


def _issues(config: pytest.Config) -> KnownIssues:
    if _ISSUES not in config.stash:
        named: Path | None = config.getoption("--known")
        path = named or Path("scenarios") / KNOWN_ISSUES
        there = named is not None or path.exists()
        config.stash[_ISSUES] = read_known_issues(path) if there else KnownIssues(str(path), (), ())
    return config.stash[_ISSUES]


def _run(config: pytest.Config) -> Run:
    if _RUN not in config.stash:
        shared = getattr(config, "workerinput", {}).get("svsm_harness_run")
        if shared is None:
            about = describe_run(["pytest", *map(str, config.invocation_params.args)])
            config.stash[_RUN] = create_run(config.getoption("--results"), about)
        else:
            config.stash[_RUN] = Run(Path(shared))
    return config.stash[_RUN]
