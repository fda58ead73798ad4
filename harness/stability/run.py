"""Make the boots of a campaign, several at a time, until its goal is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from filelock import FileLock, Timeout

from harness.boot.context import Progress
from harness.boot.run import Stay
from harness.boot.site import Site
from harness.campaign import record_boot, run_workers
from harness.errors import InputError
from harness.results.record import BootIdentity, BootLine
from harness.results.store import Run
from harness.stability.account import Account, count_boots
from harness.stability.plan import CampaignPlan, boot_of_turn

__all__ = ["Watcher", "alone", "boots_at_once", "count_run", "cut_short", "make_boots"]

Watcher = Callable[[BootIdentity, Progress | BootLine], None]


def boots_at_once(plan: CampaignPlan, site: Site) -> int:
    """Return how many boots leave each vCPU a CPU of its own: a crowd would itself cause what is counted.

    A host whose inventory entry says how many boots it takes is believed.
    """
    vcpus = max(boot_of_turn(plan, turn).setting.machine.vcpus for turn in range(1, len(plan.entries) + 1))
    return site.slots or max(1, site.host.facts.cpus // vcpus)


@contextmanager
def alone(run: Run) -> Iterator[None]:
    """Be the only process that makes boots for ``run``; the kernel frees the lock of one that dies.

    :raise InputError: if another does already.
    """
    lock = FileLock(run.folder / ".campaign.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(f"another process is making the boots of {run.folder}") from error
    try:
        yield
    finally:
        lock.release()


def count_run(run: Run, plan: CampaignPlan, issue_of: Callable[[BootLine], str | None] = lambda line: None) -> Account:
    """Count what is recorded of the campaign; ``issue_of`` names the known issue of a failed boot.

    :raise InputError: if a line is whole but says something else.
    """
    recorded = run.lines() if (run.folder / "boots.jsonl").exists() else ()
    return count_boots(plan.goal, len(plan.entries), recorded, issue_of)


def cut_short(run: Run, account: Account) -> int:
    """Count the boots that began and never came to their end; they are made again, as if they had never begun."""
    ended = {line.folder for line in account.lines.values()}
    return sum(f"boots/{path.name}" not in ended for path in (run.folder / "boots").glob("[0-9]*"))


async def make_boots(
    plan: CampaignPlan,
    site: Site,
    run: Run,
    account: Account,
    parallel: int,
    watch: Watcher,
    stay: Callable[[], Stay] | None = None,
) -> None:
    """Make what is missing, ``parallel`` at a time, each a cold start, in the order of the turns.

    Each boot is recorded before it counts. Once the account says stop, no boot begins, and those that run come to their
    end: to cut them off would leave out just those that hang. Cancelling ends all boots and leaves nothing running.
    ``stay`` makes what keeps a boot for a person; None keeps none.

    :raise HostError: if the results cannot be written; what is recorded stays.
    """
    turns = iter(account.missing())

    async def work() -> None:
        while account.stop is None and (turn := next(turns, None)) is not None:
            boot = replace(boot_of_turn(plan, turn), stay=stay)
            identity = boot.identity

            def report(progress: Progress, identity: BootIdentity = identity) -> None:
                watch(identity, progress)

            line = await record_boot(boot, site, run, report)
            account.add(line)
            watch(identity, line)

    await run_workers(work, parallel)
