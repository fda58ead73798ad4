"""Drive hosts as workers of dask.distributed, all on this machine: the only module that imports it.

One worker process a host. It reaches the host by SSH like everybody else, so that rebooting the host kills no worker.
The scheduler holds the caps (counted ASIDs; an exclusive job takes the whole host) and the priorities; the leases below
it hold them against other clients of the same hosts. A worker that dies ends its attempts, and not the pool:
``distributed`` would give them to another worker without a word, so ``allowed-failures`` is 0.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.errors import InputError, Unsupported
from harness.pool.attempt import Task, make_attempt
from harness.pool.jobs import Job
from harness.pool.journal import Attempt, End, append_attempt, done_jobs, next_attempt, read_journal, unfinished
from harness.pool.lease import Leases

__all__ = ["Tls", "choose_host", "require_distributed", "run_jobs"]

#: A job whose host was lost so often is given up; each attempt stays in the journal.
_MOST_ATTEMPTS = 3
# A host that lost so many attempts in a row is not just unlucky.
_LOSSES_TO_QUARANTINE = 2
# Of the resource "host", of which there is 1: what a boot takes, so that it runs beside other boots and beside no
# exclusive job.
_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Tls:
    """Name the PEM files with which scheduler and workers know each other once ``address`` is no loopback."""

    address: str
    ca_file: Path
    cert: Path
    key: Path


# What the controller knows of the hosts while it runs.
@dataclass
class _Fleet:
    slots: Mapping[str, int]
    losses: dict[str, int] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)


def require_distributed() -> None:
    """Check that the extra is installed.

    :raise Unsupported: saying how to install it.
    """
    if importlib.util.find_spec("distributed") is None:
        raise Unsupported("several hosts at once need dask.distributed", "pip install 'svsm-harness[pool]'")


def choose_host(
    job: Job, hosts: Mapping[str, int], busy: Mapping[str, int], losses: Mapping[str, int], blocked: Sequence[str]
) -> str | None:
    """Return the host for a job: its own, else the one with the most free slots; None if none may be given.

    One whose last attempts were lost (``losses``) comes behind those that lost nothing.
    """

    def rank(host: str) -> tuple[object, ...]:
        return losses.get(host, 0), busy.get(host, 0) / hosts[host], -hosts[host], host

    return min((host for host in hosts if host not in blocked and job.host in (None, host)), key=rank, default=None)


def run_jobs(
    jobs: Sequence[Job],
    hosts: Mapping[str, int],
    task: Callable[[Job, int, str], Task],
    say: Callable[[Attempt], None],
    tls: Tls | None = None,
) -> Mapping[str, Attempt]:
    """Do all jobs that the journal does not call done, on ``hosts`` (name to slots), and return what did each.

    ``task`` makes what a worker gets of a job, the number of its attempt and a host. ``say`` hears of every attempt
    that has ended. Jobs that could not be done are missing from the answer.

    :raise InputError: if a job names a host that is not there, another process works on the same journal, or ``tls``
        names files or an address that cannot serve.
    :raise Unsupported: if the extra is not installed.
    """
    require_distributed()
    for job in jobs:
        if job.host is not None and job.host not in hosts:
            raise InputError(f"job {job.name}: there is no host {job.host} in the pool; hosts: {', '.join(hosts)}")
    if not jobs:
        return {}
    sample = task(jobs[0], 1, next(iter(hosts)))
    journal = sample.journal
    lock = FileLock(journal.with_name(f"{journal.name}.lock"), timeout=0)
    try:
        held = lock.acquire()
    except Timeout as error:
        raise InputError(f"another process does the jobs of {journal}; wait for it") from error
    with held:
        for orphan in unfinished(read_journal(journal)):
            why = "its worker or its controller died"
            append_attempt(journal, Attempt(orphan.job, orphan.number, End.LOST, orphan.host, orphan.fence, why=why))
        done = done_jobs(read_journal(journal))
        missing = [job for job in jobs if job.name not in done]
        if missing:
            _drive(missing, _Fleet(hosts), task, say, journal, Leases(sample.leases), tls)
        names = {job.name for job in jobs}
        return {name: ended for name, ended in done_jobs(read_journal(journal)).items() if name in names}


def _drive(
    jobs: Sequence[Job],
    fleet: _Fleet,
    task: Callable[[Job, int, str], Task],
    say: Callable[[Attempt], None],
    journal: Path,
    leases: Leases,
    tls: Tls | None,
) -> None:
    # It has no types; and where it is not installed, nobody comes here.
    dask: Any = importlib.import_module("dask")
    distributed: Any = importlib.import_module("distributed")
    first = {job.name: next_attempt(read_journal(journal), job.name) for job in jobs}
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_settings(tls)))
        # Beside the journal, whose lock we hold: what a killed controller left is ours to remove.
        scratch = journal.with_name(f".{journal.stem}-workers")
        shutil.rmtree(scratch, ignore_errors=True)
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        security = None if tls is None else _security(tls)
        # Its status pages are plain HTTP, and cannot be left out: they stay on loopback, and are empty.
        where: dict[str, Any] = {
            "host": "127.0.0.1" if tls is None else tls.address, "dashboard_address": "127.0.0.1:0"
        }  # fmt: skip
        if tls is not None:
            where |= {"protocol": "tls", "security": security}
        workers = {
            name: {
                "cls": distributed.Nanny,
                "options": {
                    **where, "name": name, "nthreads": slots, "memory_limit": 0,
                    "resources": {"asid": slots, "host": 1.0}, "dashboard": False,
                    "silence_logs": logging.CRITICAL, "local_directory": str(scratch),
                },
            }
            for name, slots in fleet.slots.items()
        }  # fmt: skip
        scheduler = {"cls": distributed.Scheduler, "options": where}
        try:
            cluster = stack.enter_context(
                distributed.SpecCluster(
                    scheduler=scheduler, workers=workers, security=security, silence_logs=logging.CRITICAL
                )
            )
        except (RuntimeError, OSError) as error:
            named = "" if tls is None else f" at {tls.address} with {tls.ca_file}, {tls.cert} and {tls.key}"
            raise InputError(f"the pool cannot be started{named}: {error}") from error
        client = stack.enter_context(distributed.Client(cluster, security=security))
        ready = distributed.as_completed()
        tasks: dict[str, Task] = {}

        def submit(job: Job, number: int) -> None:
            blocked = [name for name, slots in fleet.slots.items() if leases.state(name, slots).blocked]
            host = choose_host(job, fleet.slots, fleet.busy, fleet.losses, blocked)
            if host is None:
                why = "no host may be given: svsm-harness hosts says why"
                say(_write(journal, Attempt(job.name, number, End.LOST, job.host or "-", 0, why=why)))
                return
            fleet.busy[host] = fleet.busy.get(host, 0) + 1
            need = {"host": 1.0} if job.exclusive else {"asid": 1, "host": _SHARE}
            given = task(job, number, host)
            future = client.submit(
                make_attempt, given, resources=need, workers=[host], priority=job.priority, pure=False, retries=0
            )  # fmt: skip
            tasks[future.key] = given
            ready.add(future)

        for job in sorted(jobs, key=lambda job: -job.priority):
            submit(job, first[job.name])
        for future in ready:
            given = tasks.pop(future.key)
            fleet.busy[given.host] -= 1
            if future.status == "finished":
                ended = future.result()
            else:
                why = f"its worker died: {type(future.exception()).__name__}"
                ended = _write(journal, Attempt(given.job.name, given.number, End.LOST, given.host, 0, why=why))
            say(ended)
            if ended.end is End.DONE:
                fleet.losses[given.host] = 0
                continue
            if future.status == "finished" and not leases.state(given.host, given.slots).blocked:
                fleet.losses[given.host] = fleet.losses.get(given.host, 0) + 1
                if fleet.losses[given.host] >= _LOSSES_TO_QUARANTINE:
                    leases.block(given.host, f"quarantined: lost {_LOSSES_TO_QUARANTINE} times in a row: {ended.why}")
            if given.number - first[given.job.name] + 1 < _MOST_ATTEMPTS:
                submit(given.job, given.number + 1)


def _write(journal: Path, attempt: Attempt) -> Attempt:
    append_attempt(journal, attempt)
    return attempt


def _settings(tls: Tls | None) -> dict[str, object]:
    return {
        "distributed.scheduler.allowed-failures": 0,
        # A host is chosen by us, and stays chosen.
        "distributed.scheduler.work-stealing": False,
        # Of boots that wait, the scheduler decides by priority, and not the worker they were pushed to beforehand.
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.comm.require-encryption": tls is not None,
        "distributed.worker.daemon": True,
        "distributed.admin.event-loop": "asyncio",
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }


def _security(tls: Tls) -> Any:
    files = {"tls_ca_file": str(tls.ca_file), "require_encryption": True}
    for role in ("scheduler", "worker", "client"):
        files |= {f"tls_{role}_cert": str(tls.cert), f"tls_{role}_key": str(tls.key)}
    return importlib.import_module("distributed.security").Security(**files)
