"""Make the boots of a campaign while it is watched; Ctrl-C and a full disk end it with what is finished."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.boot.demand import demanded_image
from harness.boot.hosts import open_host_site
from harness.boot.plan import RefusedBoot
from harness.boot.site import Site
from harness.cli.keep import keep_stay
from harness.errors import HarnessBug, HostError
from harness.results.store import Run
from harness.stability.account import Account
from harness.stability.plan import CampaignPlan, boot_of_turn
from harness.stability.run import Watcher, alone, boots_at_once, make_boots
from harness.stability.time_left import recorded_earlier, time_left_s
from harness.units import format_duration

__all__ = ["BootOptions", "Ongoing", "Outlook", "carry_out"]


@dataclass(frozen=True, slots=True)
class Ongoing:
    """Hold a campaign that is being made; ``refused`` are the variants that this machine cannot boot."""

    run: Run
    plan: CampaignPlan
    account: Account
    refused: Sequence[RefusedBoot]


@dataclass(frozen=True, slots=True)
class BootOptions:
    """Say how the boots are made, as it was typed; ``parallel`` 0 gives each vCPU a CPU.

    ``host`` and ``results`` are as :func:`~harness.boot.hosts.open_host_site` takes them; ``image`` is the kernel of a
    virtual host, and its modules (:func:`~harness.boot.demand.demanded_image`). ``keep`` freezes every boot that went
    wrong for a person.
    """

    results: Path
    parallel: int = 0
    host: str = "local"
    keep: bool = False
    image: tuple[str | None, str | None] = (None, None)


def recorded_image(plan: CampaignPlan) -> tuple[str | None, str | None]:
    """Return the kernel of a virtual host, and its modules, that a campaign was begun with; None: none was named."""
    return demanded_image([boot_of_turn(plan, turn).variant for turn in range(1, len(plan.entries) + 1)])


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
    options: BootOptions,
    announce: Callable[[Ongoing, Outlook], None],
    watch: Callable[[Account, Outlook], AbstractContextManager[Watcher]],
) -> tuple[Ongoing, HostError | KeyboardInterrupt | None]:
    """Make the boots of what ``begin`` returns, and return it with what ended it early (None: nothing did).

    ``announce`` gets the campaign and how it will be made, before the first
    boot.

    :raise HarnessError: as the layers below, where the campaign never began.
    """
    begun: list[Ongoing] = []

    async def everything() -> None:
        async with AsyncExitStack() as stack:
            opening = open_host_site(options.host, os.environ, options.results, *options.image)
            site = await stack.enter_async_context(opening)
            ongoing = await begin(site)
            outlook = _outlook(ongoing, site.at_once(options.parallel or boots_at_once(ongoing.plan, site)))
            stack.enter_context(alone(ongoing.run))
            site.keep_log(ongoing.run.folder)
            begun.append(ongoing)
            announce(ongoing, outlook)
            watcher = stack.enter_context(watch(ongoing.account, outlook))
            await make_boots(
                ongoing.plan, site, ongoing.run, ongoing.account, outlook.at_once, watcher, keep_stay(options.keep)
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
