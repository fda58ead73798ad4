"""``svsm-harness doctor``: say what a host can run."""

from __future__ import annotations

import asyncio
import json
import os
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import typer

from harness.boot.hosts import open_host_site
from harness.cli.exit_status import ExitStatus
from harness.cli.options import Format, HostName, Results
from harness.cli.table import one_line, terminal_width
from harness.doctor import Finding, Report, State, examine, examine_site
from harness.host.protocol import HostKind
from harness.scenario.model import Platform

__all__ = ["doctor", "render"]

_NARROWEST, _WIDEST = 60, 100
_FILE_WIDTH = 80


def doctor(host: HostName = "local", results: Results = Path("results"), output: Format = "text") -> None:
    """Look at a host, its KVM and its QEMU; say the best grade it reaches and what is in the way of the next.

    Exit status 0 if something can run here, 5 if nothing can.
    """
    report = asyncio.run(_examine(host, results))
    if output == "json":
        print(json.dumps(_document(report), indent=1))
    else:
        print(render(report, min(max(terminal_width() or _FILE_WIDTH, _NARROWEST), _WIDEST)))
    if report.best is None:
        raise typer.Exit(ExitStatus.NOTHING_RAN)


async def _examine(host: str, results: Path) -> Report:
    if host == HostKind.LOCAL:
        return await examine(os.environ, results)
    async with open_host_site(host, os.environ, results) as site:
        return await examine_site(site, os.environ, results)


def _document(report: Report) -> dict[str, object]:
    stop = report.in_the_way
    return {
        "best": report.best,
        "next": report.next,
        "in_the_way": "" if stop is None else _said(stop),
        "fix": "" if stop is None else stop.fix,
        "findings": [asdict(finding) for finding in report.findings],
    }


def render(report: Report, width: int) -> str:
    """Lay the report out in lines of at most ``width`` columns, the fixes once at the end."""
    lines: list[str] = []
    for group, found in groupby(report.findings, lambda finding: finding.group):
        lines += [str(group), *_group(tuple(found), width), ""]
    lines += [*_fixes(report, width), ""]
    lines += _wrapped(f"best grade here: {report.best or 'none'}", width, "")
    stop = report.in_the_way
    if stop is not None:
        lines += _wrapped(f"in the way of {report.next}: {_said(stop)}", width, "  ")
        if stop.fix:
            lines += _wrapped(f"to do first: {stop.fix}", width, "  ")
    return "\n".join(lines)


def _said(finding: Finding) -> str:
    return f"{finding.name}: {one_line(finding.value)}"


def _group(findings: Sequence[Finding], width: int) -> Iterator[str]:
    # What has one cause is said once, under the first name; what was not asked comes last, in one line.
    alike: dict[tuple[State, str], list[Finding]] = {}
    for finding in findings:
        merged = finding.state in (State.UNKNOWN, State.LACKS, State.SKIPPED)
        alike.setdefault((finding.state, finding.value if merged else finding.name), []).append(finding)
    skipped = [found for (state, _), found in alike.items() if state is State.SKIPPED]
    shown = [found for (state, _), found in alike.items() if state is not State.SKIPPED]
    names = max((len(found[0].name) for found in shown), default=0)
    for first, *others in shown:
        head = f"  {first.state:<8}{first.name:<{names}}  "
        line = f"{head}{one_line(first.value)}"
        also = f"; also {', '.join(other.name for other in others)}" if others else ""
        whole = f"{line} ({_matters(first)}{also})"
        # Where all is well, the meaning is said if there is room: JSON has it always.
        if first.state is State.OK and len(whole) > width:
            whole = line
        yield from _wrapped(whole, width, " " * len(head))
    for found in skipped:
        text = f"  -       {found[0].value}: {', '.join(finding.name for finding in found)}"
        yield from _wrapped(text, width, " " * 10)


def _matters(finding: Finding) -> str:
    if not finding.grades:
        return finding.means
    best = [grade for grade in Platform if grade.rank >= finding.grades[0].rank]
    named = f"{finding.grades[0]}+" if len(best) == len(finding.grades) > 1 else ", ".join(finding.grades)
    return f"{named}: {finding.means}"


def _fixes(report: Report, width: int) -> Iterator[str]:
    wanted: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.fix:
            wanted.setdefault(finding.fix, []).append(finding.name)
    if wanted:
        yield "what would help"
    for fix, names in wanted.items():
        yield from _wrapped(f"  {', '.join(names)}:", width, "  ")
        yield from _wrapped(f"      {fix}", width, "      ")


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False, replace_whitespace=False
    )
    return lines or [""]
