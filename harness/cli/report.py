"""``svsm-harness report``: write recorded runs as a page, or in the words of another system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.history.baseline import find_baseline
from harness.history.recorded import RecordedRun, read_run
from harness.report.gather import gather
from harness.results.files import write_whole
from harness.results.store import find_run

__all__ = ["read_runs", "report"]


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Runs that belong together, such as those of one night.", show_default="latest"
        ),
    ] = None,
    results: Results = Path("results"),
    html: Annotated[bool, typer.Option("--html", help="One self-contained page: no script, no network.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to.  [default: report.html in the folder of the last run]"
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Compare with results/baselines/NAME.json.  [default: main, if there is one]"
        ),
    ] = None,
) -> None:
    """Write what was recorded for people and for other systems."""
    runs = read_runs(results, names or ["latest"])
    night = gather(runs, find_baseline(results, baseline))
    from harness.report.html import render_html

    path = output or runs[-1].run.folder / "report.html"
    write_whole(path, render_html(night).encode())
    print(f"page: {_short(path)}")


def _short(path: Path) -> Path:
    # As the reader would type it from here.
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def read_runs(results: Path, names: Sequence[str]) -> list[RecordedRun]:
    """Read runs by name, each once, in the order in which they were started.

    :raise InputError: if one is not there.
    """
    found = {run.folder.resolve(): run for run in (find_run(results, name) for name in names)}
    return sorted((read_run(run) for run in found.values()), key=lambda run: (run.started_utc, run.name))
