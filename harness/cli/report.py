"""``svsm-harness report``: write recorded runs as a page, or in the words of another system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.errors import InputError
from harness.history.baseline import find_baseline
from harness.history.recorded import RecordedRun, read_run
from harness.report.gather import Night, gather
from harness.results.files import write_whole
from harness.results.store import find_run

__all__ = ["read_runs", "report"]

_TO_A_FILE = {"html": "report.html", "junit": "report.junit.xml", "kcidb": "report.kcidb.json"}


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Runs that belong together, such as those of one night.  [default: latest]",
            show_default=False,
        ),
    ] = None,
    results: Results = Path("results"),
    html: Annotated[
        bool, typer.Option("--html", help="One self-contained page: no script, no network (the default).")
    ] = False,
    junit: Annotated[bool, typer.Option("--junit", help="JUnit XML, with rates and grades as properties.")] = False,
    ktap: Annotated[bool, typer.Option("--ktap", help="KTAP, a test for each scenario and grade.")] = False,
    kcidb: Annotated[bool, typer.Option("--kcidb", help="KCIDB v5 JSON for KernelCI (needs the extra kcidb).")] = False,
    text: Annotated[bool, typer.Option("--text", help="Plain text for a mailing list.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown for a merge request.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to; - is standard output.  [default: beside the last run; text, Markdown and KTAP are printed]",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare with results/baselines/NAME.json.  [default: main, if there is one]",
            show_default=False,
        ),
    ] = None,
    origin: Annotated[
        str, typer.Option(metavar="NAME", help="With --kcidb: the name that KernelCI knows you by.")
    ] = "svsm_harness",
) -> None:
    """Write what was recorded, for people and for other systems; results/ alone is read.

    The page says first what got worse since the baseline (svsm-harness history --set-baseline), and how sure that is.
    Several formats can be written at once. Exit status 0 once they are written, whatever the verdict is.
    """
    asked = {"html": html, "junit": junit, "kcidb": kcidb, "ktap": ktap, "text": text, "markdown": markdown}
    formats = [name for name, wanted in asked.items() if wanted] or ["html"]
    if output is not None and len(formats) > 1:
        raise InputError("-o names one file, and several formats were asked for; leave it out, or ask for one")
    runs = read_runs(results, names or ["latest"])
    night = gather(runs, find_baseline(results, baseline))
    for name in formats:
        document = _render(name, night, origin)
        path = output or (runs[-1].run.folder / _TO_A_FILE[name] if name in _TO_A_FILE else Path("-"))
        if str(path) == "-":
            print(document, end="")
        else:
            write_whole(path, document.encode())
            print(f"{'page' if name == 'html' else name}: {_short(path)}")


def _render(name: str, night: Night, origin: str) -> str:
    # Each is imported only when it is written: jinja2, matplotlib and kcidb-io take time to load.
    if name == "html":
        from harness.report.html import render_html

        return render_html(night)
    if name == "junit":
        from harness.report.junit import render_junit

        return render_junit(night)
    if name == "kcidb":
        from harness.report.kcidb import render_kcidb

        return render_kcidb(night, origin)
    if name == "ktap":
        from harness.report.ktap import render_ktap

        return render_ktap(night)
    from harness.report.text import render_markdown, render_text

    return render_text(night) if name == "text" else render_markdown(night)


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
