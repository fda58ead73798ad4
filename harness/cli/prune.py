"""``svsm-harness prune``: delete the logs of old boots, and never a failure's first example nor a baseline."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.cli.table import columns, terminal_width
from harness.errors import InputError
from harness.history.retention import delete_boots, plan_retention
from harness.units import parse_bytes

__all__ = ["prune"]


def prune(
    results: Results = Path("results"),
    days: Annotated[
        float | None,
        typer.Option(min=0, metavar="N", help="Boots of runs that were started more than N days ago go."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Until all boots fit into SIZE (20G), the oldest go, passes first."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete. Without it, only say what would go.")] = False,
) -> None:
    """Say which boots' logs would go by age and size; with --yes, delete them.

    Always kept: what became of each boot (boots.jsonl), what was measured of it (measures.jsonl), the first example of
    every kind of failure, the runs of baselines, the newest run, and boots that have not ended.
    """
    if days is None and size is None:
        raise InputError("say what may go: --days 30, --size 20G, or both")
    if not results.is_dir():
        raise InputError(f"there is no folder {results}; name it with --results")
    try:
        largest_bytes = None if size is None else parse_bytes(size)
    except ValueError as error:
        raise InputError(f"--size: {error}") from error
    plan = plan_retention(results, days, largest_bytes)
    by_run = Counter(candidate.run.folder.name for candidate in plan.gone)
    if by_run:
        rows = [("boots", "size", "run")]
        for name, boots in sorted(by_run.items()):
            size_bytes = sum(c.size_bytes for c in plan.gone if c.run.folder.name == name)
            rows.append((str(boots), _mib(size_bytes), name))
        print("\n".join(columns(rows, terminal_width())))
    for why, boots in sorted(Counter(candidate.kept for candidate in plan.stays if candidate.kept).items()):
        print(f"kept, {why}: {boots}")
    print(f"{len(plan.gone)} boots ({_mib(plan.gone_bytes)}) go, {len(plan.stays)} ({_mib(plan.stays_bytes)}) stay")
    if largest_bytes is not None and plan.stays_bytes > largest_bytes:
        print(f"what must stay is larger than {size}")
    if not yes:
        print("nothing was deleted; --yes does it")
    elif plan.gone:
        print(f"freed {_mib(delete_boots(plan.gone))}")


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.1f} MiB"
