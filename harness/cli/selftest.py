"""``svsm-harness selftest``: prove the checks with faults that are put in on purpose, and print what each noticed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.site import open_site
from harness.campaign import run_campaign
from harness.checks import all_checks
from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus
from harness.cli.hangs import run_hangs
from harness.cli.live import watch
from harness.cli.options import Format, Results
from harness.clock import monotonic_s
from harness.detection import Row, Trial, build_row, columns_of, plan_fault_free, plan_faults, problems
from harness.results.provenance import describe_run
from harness.results.store import Run, create_run
from harness.units import format_duration

__all__ = ["selftest"]

_LEGEND = """Two symbols a cell: flavour roy, flavour planes-v1.
  X  FAIL, of the check that is for this fault      x  FAIL, a consequence of the fault
  ?  INCONCLUSIVE: cannot tell, and says so         .  PASS: quiet
  !  not as it must be                              -  did not judge"""


def selftest(
    boots: Annotated[
        int, typer.Option("--boots", min=0, help="Make this many boots without a fault, in place of the matrix.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides which opportunities a fault's rate takes.")] = 1,
    payload: Annotated[
        str | None,
        typer.Option("--payload", metavar="IMAGE", help="Another build of the VMPL model.", show_default=False),
    ] = None,
    hangs: Annotated[
        bool, typer.Option("--hangs", help="Boot guests that hang in known ways, and show what was answered of each.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="TEXT", help="With --hangs: only those with TEXT in their name.", show_default=False
        ),
    ] = None,
    parallel: Annotated[
        int, typer.Option("-n", "--parallel", min=0, help="Boots at the same time; 0 means one for each CPU.")
    ] = 0,
    results: Results = Path("results"),
    output: Format = "text",
) -> None:
    """Boot the VMPL model with every fault that it can have, and print which check noticed: the detection matrix.

    With --boots N: N boots without a fault, on 1 to 8 vCPUs, in which no check may raise an alarm.

    With --hangs: guests that hang in every way that is told apart, and QEMUs that are stopped, starved or throttled;
    the table shows what was done against what was answered, also without what an encrypted guest hides.

    Exit status: 0 every fault was noticed by the check that is for it and nothing else cried, or every hang was told
    rightly; 1 not so.
    """
    if hangs:
        raise typer.Exit(run_hangs(results, parallel or 1, output, only))
    trials = plan_fault_free(boots, payload) if boots else plan_faults(seed, payload)
    begin_s = monotonic_s()
    run, rows = asyncio.run(_boot(trials, results, parallel or os.cpu_count() or 1, output == "json"))
    found = problems(rows)
    status = ExitStatus.FAILED if found else ExitStatus.PASSED
    if output == "json":
        _print_json(rows, found, run, status)
    else:
        _print_text(rows, found, run, bool(boots))
        print(f"{len(rows)} boots in {format_duration(monotonic_s() - begin_s)}\nresults: {run.folder}")
    raise typer.Exit(status)


async def _boot(trials: Sequence[Trial], results: Path, parallel: int, quiet: bool) -> tuple[Run, tuple[Row, ...]]:
    site = await open_site(os.environ)
    run = create_run(results, describe_run(sys.argv))
    with watch(len(trials), quiet) as observer:
        lines = await run_campaign([trial.plan for trial in trials], site, run, parallel, observer)
    consoles = [run.folder / line.folder / "console.log" if line.folder else None for line in lines]
    rows = [
        build_row(trial, line, console.read_bytes() if console is not None and console.exists() else b"")
        for trial, line, console in zip(trials, lines, consoles, strict=True)
    ]
    return run, tuple(rows)


def _print_text(rows: Sequence[Row], found: Sequence[str], run: Run, fault_free: bool) -> None:
    if fault_free:
        counted = Counter(row.flavour for row in rows)
        print(", ".join(f"{number} boots of {flavour}" for flavour, number in counted.items()) + ", without a fault")
    else:
        print("\n".join(_table(rows)))
        print(f"\n{_LEGEND}")
        idle = sorted(all_checks().keys() - {check for row in rows for check in row.cells})
        print(f"Not in the table, for they judge a Linux guest or a person's own report: {', '.join(idle)}.\n")
        faults = {row.spec.partition(":")[0] for row in rows} - {"none"}
        missed = [row for row in rows if row.spec != "none" and row.wrong]
        print(
            f"{len(faults)} faults in {len(rows)} boots: "
            + _verdict(missed, "each noticed by the check that is for it")
        )
    alarms = [row for row in rows if row.spec == "none" and row.wrong]
    free = sum(row.spec == "none" for row in rows)
    print(f"{free} boots without a fault: " + _verdict(alarms, "no false alarm"))
    for sentence in found:
        print(f"  {sentence}")
    for row in (row for row in rows if row.wrong):
        for check, reason in row.reasons.items():
            print(f"    {row.variant}: {check}: {reason}")


def _verdict(bad: Sequence[Row], good: str) -> str:
    return f"{len(bad)} NOT as they must be" if bad else good


def _table(rows: Sequence[Row]) -> list[str]:
    checks = columns_of(rows)
    flavours = tuple(dict.fromkeys(row.flavour for row in rows))
    # A long name takes two lines of the heading.
    heads = [(head + "_" if tail else "", tail or head) for head, _, tail in (c.partition("_") for c in checks)]
    widths = [max(map(len, head)) for head in heads]
    specs = tuple(dict.fromkeys(row.spec for row in rows))
    first = max(map(len, specs))
    struck = max(len("struck"), 11)
    lines = [
        "  ".join([" " * first, " " * struck, *(head[0].ljust(w) for head, w in zip(heads, widths, strict=True))]),
        "  ".join(
            ["fault".ljust(first), "struck".ljust(struck), *(h[1].ljust(w) for h, w in zip(heads, widths, strict=True))]
        ),
    ]
    for spec in specs:
        of = {row.flavour: row for row in rows if row.spec == spec}
        counts = " ".join("?" if of[f].fired is None else str(of[f].fired) for f in flavours if f in of)
        cells = [
            " ".join(_symbol(of[f], check) if f in of else " " for f in flavours).ljust(width)
            for check, width in zip(checks, widths, strict=True)
        ]
        lines.append("  ".join([spec.ljust(first), ("" if spec == "none" else counts).ljust(struck), *cells]))
    return [line.rstrip() for line in lines]


def _symbol(row: Row, check: str) -> str:
    status = row.cells.get(check)
    if any(sentence.startswith((f"{check} ", "nobody noticed")) and check in sentence for sentence in row.wrong):
        return "!"
    if status is Status.FAIL:
        return "X" if check in row.noticed_by else "x"
    return {None: "-", Status.PASS: ".", Status.INCONCLUSIVE: "?"}.get(status, "!")


def _print_json(rows: Sequence[Row], found: Sequence[str], run: Run, status: ExitStatus) -> None:
    document = {
        "results": str(run.folder),
        "exit_status": int(status),
        "problems": list(found),
        "checks": list(columns_of(rows)),
        "rows": [
            {
                "fault": row.spec,
                "flavour": row.flavour,
                "struck": row.fired,
                "noticed_by": sorted(row.noticed_by),
                "checks": {check: str(cell) for check, cell in row.cells.items()},
                "reasons": dict(row.reasons),
                "wrong": list(row.wrong),
                "folder": row.folder,
            }
            for row in rows
        ],
    }
    print(json.dumps(document, indent=1))
