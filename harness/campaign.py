"""Make many boots, several at a time, and record each before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from harness.boot.context import Progress
from harness.boot.judging import judge_record
from harness.boot.plan import RefusedBoot
from harness.boot.recorder import forget
from harness.boot.run import PlannedBoot, run_boot
from harness.boot.site import Site
from harness.checks.base import Status
from harness.errors import EvidenceLost, HarnessError, HostError, InputError, Unsupported
from harness.results.record import BootIdentity, BootLine
from harness.results.store import Run

__all__ = ["Observer", "Planned", "record_boot", "run_campaign", "run_workers"]

Planned = PlannedBoot | RefusedBoot


@dataclass(frozen=True, slots=True)
class Observer:
    """Be told what happens; both are called in the event loop and must return at once.

    ``progress`` gets the planned boot and where it is; ``finished`` gets its line once that is on the disk.
    """

    progress: Callable[[BootIdentity, Progress], None]
    finished: Callable[[BootLine], None]


async def run_campaign(
    planned: Sequence[Planned], site: Site, run: Run, parallel: int, observer: Observer
) -> tuple[BootLine, ...]:
    """Make every boot, at most ``parallel`` at a time, and return their lines in the order of ``planned``.

    Cancelling ends all boots and leaves nothing running; what was finished is recorded.

    :raise HostError: if the results cannot be written; what is recorded stays.
    """
    places = asyncio.Semaphore(parallel)

    async def one(plan: Planned) -> BootLine:
        async with places:
            line = await record_boot(plan, site, run, lambda progress: observer.progress(plan.identity, progress))
            observer.finished(line)
            return line

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(plan)) for plan in planned]
    except* HostError as errors:
        raise errors.exceptions[0] from None
    return tuple(task.result() for task in tasks)


async def run_workers(work: Callable[[], Coroutine[None, None, None]], workers: int) -> None:
    """Run ``work`` so many times at once, until each has found that nothing is left to do.

    :raise HarnessError: the first that one of them raises, after all others are ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except* HarnessError as errors:
        raise errors.exceptions[0] from None


async def record_boot(plan: Planned, site: Site, run: Run, report: Callable[[Progress], None]) -> BootLine:
    """Make one boot and append its line to the run; a boot that this machine cannot do is recorded too.

    :raise HostError: if the results cannot be written.
    """
    if isinstance(plan, RefusedBoot):
        line = _unbooted(plan.identity, None, Status.UNSUPPORTED, plan.reason)
    else:
        line = await _boot(plan, site, run, report)
    run.append(line)
    return line


async def _boot(plan: PlannedBoot, site: Site, run: Run, report: Callable[[Progress], None]) -> BootLine:
    folder = run.new_boot_folder()
    name = f"boots/{folder.name}"
    try:
        record = await run_boot(plan, site, folder, report)
        run.write_record(folder, record)
        # A trace of a million lines takes seconds to judge, and meanwhile other boots wait for their keys and wake-ups.
        line = await asyncio.to_thread(judge_record, folder, record, name)
        if line.status is Status.PASS:
            forget(folder)
        return line
    except Unsupported as error:
        return _unbooted(plan.identity, name, Status.UNSUPPORTED, str(error))
    except EvidenceLost as error:
        return _unbooted(plan.identity, name, Status.INCONCLUSIVE, str(error))
    except InputError as error:
        return _unbooted(plan.identity, name, Status.ERROR, f"scenario: {error}")
    except HostError as error:
        return _unbooted(plan.identity, name, Status.ERROR, f"host: {error}")
    except OSError as error:
        return _unbooted(plan.identity, name, Status.ERROR, f"host: {str(error) or type(error).__name__}")


def _unbooted(identity: BootIdentity, folder: str | None, status: Status, reason: str) -> BootLine:
    return BootLine(identity, folder, status, reason, (), None, 0.0)
