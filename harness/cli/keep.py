"""Offer ``--keep``: freeze a guest that went wrong, and print how to attach to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from harness.boot.keep import keeping
from harness.boot.run import PlannedBoot, Stay
from harness.campaign import Planned

__all__ = ["Keep", "keep_stay", "with_keep"]

Keep = Annotated[
    bool,
    typer.Option(
        "--keep",
        help="Freeze a guest that did not get ready, stopped, or failed a step or a check; dump its memory, print how "
        "to attach by gdb, QMP and console. It stays until Ctrl-C.",
    ),
]


def keep_stay(keep: bool) -> Callable[[], Stay] | None:
    """Return what makes the stay of each boot; None: none is kept. Ctrl-C lets all go that are kept."""
    return keeping(_say, asyncio.Event()) if keep else None


async def with_keep(plans: Awaitable[Sequence[Planned]], keep: bool) -> Sequence[Planned]:
    """Return the planned boots, each with what keeps it."""
    stay = keep_stay(keep)
    return [replace(plan, stay=stay) if isinstance(plan, PlannedBoot) else plan for plan in await plans]


def _say(lines: str) -> None:
    # Not on standard output, which may be one document.
    print(f"\n{lines}", file=sys.stderr, flush=True)
