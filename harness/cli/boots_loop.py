"""Make the boots of a campaign while it is watched; Ctrl-C and a full disk end it with what is finished."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from harness.boot.plan import RefusedBoot
from harness.boot.site import Site, open_site
from harness.cli.keep import keep_stay
from harness.errors import HarnessBug, HostError
from harness.results.store import Run
from harness.stability.account import Account
from harness.stability.plan import CampaignPlan
from harness.stability.run import Watcher, alone, boots_at_once, make_boots

__all__ = ["Ongoing", "carry_out"]


@dataclass(frozen=True, slots=True)
class Ongoing:
    """Hold a campaign that is being made; ``refused`` are the variants that this machine cannot boot."""

    run: Run
    plan: CampaignPlan
    account: Account
    refused: Sequence[RefusedBoot]


def carry_out(
    begin: Callable[[Site], Awaitable[Ongoing]],
    parallel: int,
    announce: Callable[[Ongoing, int], None],
    watch: Callable[[Account], AbstractContextManager[Watcher]],
    keep: bool = False,
) -> tuple[Ongoing, HostError | KeyboardInterrupt | None]:
    """Make the boots of what ``begin`` returns, and return it with what ended it early (None: nothing did).

    ``parallel`` 0 gives each vCPU a CPU. ``announce`` gets the campaign and how many boots are made at a time, before
    the first of them. ``keep`` freezes every boot that went wrong for a person.

    :raise HarnessError: as the layers below, where the campaign never began.
    """
    begun: list[Ongoing] = []

    async def everything() -> None:
        site = await open_site(os.environ)
        ongoing = await begin(site)
        at_once = parallel or boots_at_once(ongoing.plan)
        with ExitStack() as stack:
            stack.enter_context(alone(ongoing.run))
            begun.append(ongoing)
            announce(ongoing, at_once)
            watcher = stack.enter_context(watch(ongoing.account))
            await make_boots(ongoing.plan, site, ongoing.run, ongoing.account, at_once, watcher, keep_stay(keep))

    error: HostError | KeyboardInterrupt | None = None
    try:
        asyncio.run(everything())
    except (HostError, KeyboardInterrupt) as cause:
        error = cause
    if not begun:
        raise error or HarnessBug("a campaign that never began")
    return begun[0], error
