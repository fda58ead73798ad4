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
from harness.stability.time_left import recorded_earlier, time_left_s
from harness.units import format_duration

__all__ = ["Ongoing", "Outlook", "carry_out"]


@dataclass(frozen=True, slots=True)
class Ongoing:
    """Hold a campaign that is being made; ``refused`` are the variants that this machine cannot boot."""

    run: Run
    plan: CampaignPlan
    account: Account
    refused: Sequence[RefusedBoot]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Say how a campaign is made: ``at_once`` boots at a time.

    ``expected_s`` is what each boot adds to the whole, by the ``earlier`` boots that are recorded; None: none are.
    """

    at_once: int
    earlier: int = 0
    expected_s: float | None = None

    def sentence(self, account: Account) -> str | None:
        """Say how long what is missing takes; None: nobody knows yet."""
        left_s = time_left_s(0, len(account.missing()), 0.0, self.expected_s)
        if left_s is None:
            return None
        most = "at most " if account.goal.peeks else "about "
        return f"this takes {most}{format_duration(left_s)}, by the {self.earlier} boots of it that are recorded here"


def carry_out(
    begin: Callable[[Site], Awaitable[Ongoing]],
    parallel: int,
    announce: Callable[[Ongoing, Outlook], None],
    watch: Callable[[Account, Outlook], AbstractContextManager[Watcher]],
    keep: bool = False,
) -> tuple[Ongoing, HostError | KeyboardInterrupt | None]:
    """Make the boots of what ``begin`` returns, and return it with what ended it early (None: nothing did).

    ``parallel`` 0 gives each vCPU a CPU. ``announce`` gets the campaign and how it will be made, before the first
    boot. ``keep`` freezes every boot that went wrong for a person.

    :raise HarnessError: as the layers below, where the campaign never began.
    """
    begun: list[Ongoing] = []

    async def everything() -> None:
        site = await open_site(os.environ)
        ongoing = await begin(site)
        outlook = _outlook(ongoing, parallel or boots_at_once(ongoing.plan))
        with ExitStack() as stack:
            stack.enter_context(alone(ongoing.run))
            begun.append(ongoing)
            announce(ongoing, outlook)
            watcher = stack.enter_context(watch(ongoing.account, outlook))
            await make_boots(
                ongoing.plan, site, ongoing.run, ongoing.account, outlook.at_once, watcher, keep_stay(keep)
            )

    error: HostError | KeyboardInterrupt | None = None
    try:
        asyncio.run(everything())
    except (HostError, KeyboardInterrupt) as cause:
        error = cause
    if not begun:
        raise error or HarnessBug("a campaign that never began")
    return begun[0], error


def _outlook(ongoing: Ongoing, at_once: int) -> Outlook:
    earlier = recorded_earlier(ongoing.run.folder.parent, ongoing.plan)
    if earlier is None:
        return Outlook(at_once)
    return Outlook(at_once, earlier.boots, earlier.boot_s / min(at_once, ongoing.plan.goal.boots))
