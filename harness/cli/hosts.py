"""``svsm-harness hosts``: say who has which host, hold one for debugging, and do a file of jobs on all of them."""

from __future__ import annotations

import getpass
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus
from harness.cli.nightly_text import worst_of
from harness.cli.options import Format, Results
from harness.cli.table import columns, terminal_width
from harness.errors import InputError
from harness.host.cache import cache_dir
from harness.host.inventory import inventory_path, read_inventory
from harness.pool.attempt import Task
from harness.pool.cluster import Tls, run_jobs
from harness.pool.jobs import Job, parse_jobs
from harness.pool.journal import Attempt, End, read_journal
from harness.pool.lease import HostState, Leases

__all__ = ["hosts"]

_LOCAL = "local"
# Longer than a few heartbeats: who holds the host is stopped, or its disk hangs. It keeps the host all the same.
_SILENT_S = 30.0


def hosts(
    hold: Annotated[
        str | None, typer.Option("--hold", metavar="HOST", help="Give HOST to nobody, to debug on it; needs --why.")
    ] = None,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="With --hold: what others are told.")] = None,
    release: Annotated[
        str | None, typer.Option("--release", metavar="HOST", help="End a hold or a quarantine of HOST.")
    ] = None,
    jobs: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="JOBS",
            help="Do the jobs of this YAML file, a list of {name, run: 'run scenarios/vmpl', host, exclusive, "
            "priority}. Those that are done are skipped.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--host", metavar="HOST", help="With --run: only on HOST; may be repeated.")
    ] = None,
    results: Results = Path("results"),
    address: Annotated[
        str | None,
        typer.Option(metavar="IP", help="With --run: listen here in place of loopback; needs the three --tls files."),
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="With --address: the authority, PEM.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="With --address: the certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="With --address: its private key.")] = None,
    output: Format = "text",
) -> None:
    """Show the hosts of ci/hosts.yaml and this machine, who has them, and why nobody may.

    With --run, jobs are spread over the hosts, each boot on one slot of its host; an exclusive job is alone there. A
    job whose host, worker or controller goes away is INCONCLUSIVE and made again as a new attempt, at most three times;
    every attempt stays in results/pool/JOBS/journal.jsonl. Exit status of --run: that of its jobs, the worst first; 3
    if one could not be done. --run needs the extra pool (pip install 'svsm-harness[pool]').
    """
    slots = _slots()
    folder = cache_dir(os.environ) / "pool"
    leases = Leases(folder)
    if sum(option is not None for option in (hold, release, jobs)) > 1:
        raise InputError("--hold, --release and --run are three different things; choose one")
    for name in [each for each in (hold, release, *(only or [])) if each is not None]:
        if name not in slots:
            raise InputError(f"there is no host {name}; hosts: {', '.join(slots)}")
    if hold is not None:
        if not why:
            raise InputError("say what others are to be told: --why 'looking at a hang of boot 17'")
        leases.block(hold, f"held by {getpass.getuser()}: {why}")
    if release is not None:
        leases.release(release)
    if jobs is not None:
        chosen = {name: slots[name] for name in (only or slots)}
        raise typer.Exit(_run(jobs, chosen, folder, results, _tls(address, tls_ca, tls_cert, tls_key)))
    states = [leases.state(name, count) for name, count in slots.items()]
    if output == "json":
        print(json.dumps([_document(state) for state in states], indent=1))
        return
    print("\n".join(columns([("host", "slots", "waiting", "who has it"), *map(_row, states)], terminal_width())))


def _slots() -> Mapping[str, int]:
    # A machine whose entry has no slots gets one boot at a time: nobody has said that it has ASIDs for more.
    path = inventory_path(os.environ)
    entries = read_inventory(path) if path.exists() else {}
    jumps = {jump for entry in entries.values() for jump in entry.jump}
    here = len(os.sched_getaffinity(0))
    return {_LOCAL: here, **{name: entry.slots or 1 for name, entry in entries.items() if name not in jumps}}


def _tls(address: str | None, ca: Path | None, cert: Path | None, key: Path | None) -> Tls | None:
    if address is None:
        return None
    if ca is None or cert is None or key is None:
        raise InputError("beyond loopback the pool speaks TLS alone: name --tls-ca, --tls-cert and --tls-key")
    return Tls(address, ca, cert, key)


def _run(path: Path, slots: Mapping[str, int], leases: Path, results: Path, tls: Tls | None) -> ExitStatus:
    try:
        jobs = parse_jobs(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    folder = results / "pool" / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "journal.jsonl"
    before = read_journal(journal)

    def task(job: Job, number: int, host: str) -> Task:
        return Task(job, number, host, slots[host], getpass.getuser(), leases, journal.resolve(), results.resolve())

    def say(attempt: Attempt) -> None:
        end = f"exit status {attempt.status}" if attempt.end is End.DONE else f"{Status.INCONCLUSIVE}: {attempt.why}"
        recorded = f" ({attempt.run})" if attempt.run else ""
        print(f"{attempt.job}, attempt {attempt.number} on {attempt.host}: {end}{recorded}", flush=True)

    done = run_jobs(jobs, slots, task, say, tls)
    lost = Counter(attempt.job for attempt in read_journal(journal)[len(before) :] if attempt.end is End.LOST)
    statuses = [attempt.status for attempt in done.values() if attempt.status is not None]
    undone = [job.name for job in jobs if job.name not in done]
    print(f"{len(done)} of {len(jobs)} jobs done, {sum(lost.values())} attempts lost; journal: {journal}")
    for name in undone:
        print(f"not done: {name}")
    return worst_of([*statuses, *(ExitStatus.INCONCLUSIVE for _ in undone)])


def _row(state: HostState) -> tuple[str, ...]:
    silent = [f"no sign of life for {state.silent_s:.0f} s"] if state.silent_s > _SILENT_S else []
    said = [*([state.blocked] if state.blocked else []), *state.holders, *silent]
    return state.host, f"{len(state.holders)} of {state.slots}", str(state.waiting), "; ".join(said) or "free"


def _document(state: HostState) -> dict[str, object]:
    return {
        "host": state.host,
        "slots": state.slots,
        "holders": list(state.holders),
        "waiting": state.waiting,
        "blocked": state.blocked,
        "leases": state.fence,
    }
