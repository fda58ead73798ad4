"""Make one attempt at a job on one host: lease it, run the command, and write down what became of it."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.checks.base import Status
from harness.child import harness_argv
from harness.pool.jobs import Job
from harness.pool.journal import Attempt, End, append_attempt
from harness.pool.lease import Blocked, Lease, Leases, Who
from harness.pool.tether import tethered
from harness.results.store import Run

__all__ = ["Task", "judge", "make_attempt"]

_BEAT_S = 2.0
# What records say of a host that went away: harness/host/protocol.py HostLost, harness/host/ssh.py; and of one that a
# boot has hurt: harness/boot/hurt_host.py.
_LOST = re.compile(r"was lost while|cannot be reached")
_HURT = re.compile(r"was hurt by|something hurt this host")
_ERROR, _INTERRUPTED = 4, 130


@dataclass(frozen=True, slots=True)
class Task:
    """Be what a worker is given: an attempt at a job on a host with so many slots.

    ``program`` begins the command line; the job's words, --host, -n, --results and --format
    follow.
    """

    job: Job
    number: int
    host: str
    slots: int
    client: str
    leases: Path
    journal: Path
    results: Path
    program: tuple[str, ...] = tuple(harness_argv(()))


def make_attempt(task: Task) -> Attempt:
    """Make it, and return its last line in the journal, which is on the disk by then.

    A host that nobody is given (held, quarantined) ends the attempt as LOST before anything began.
    """
    leases = Leases(task.leases)
    who = Who(task.client, task.job.name)
    try:
        with leases.hold(
            task.host, task.slots, who, exclusive=task.job.exclusive, priority=task.job.priority
        ) as lease:  # fmt: skip
            append_attempt(task.journal, Attempt(task.job.name, task.number, End.BEGUN, task.host, lease.fence))
            ended, hurt = _run(task, lease)
            append_attempt(task.journal, ended)
            if hurt:
                leases.block(task.host, f"quarantined: {ended.why}")
            return ended
    except Blocked as blocked:
        ended = Attempt(task.job.name, task.number, End.LOST, task.host, 0, why=str(blocked))
        append_attempt(task.journal, ended)
        return ended


def _run(task: Task, lease: Lease) -> tuple[Attempt, bool]:
    # A lease of one slot is for one boot at a time.
    at_once = str(task.slots if task.job.exclusive else 1)
    options = ["--host", task.host, "-n", at_once, "--results", str(task.results), "--format", "json"]
    words = [*task.job.words, *options]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with subprocess.Popen(
            tethered([*task.program, *words]),
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=lease.descriptors, process_group=0,
        ) as process:  # fmt: skip
            while True:
                try:
                    status = process.wait(_BEAT_S)
                    break
                except subprocess.TimeoutExpired:
                    lease.beat()
        out.seek(0)
        err.seek(0)
        end, run, why, hurt = judge(status, out.read(), err.read())
    # Python ends with 1 after a traceback. Without a document, that is no FAIL of what was tested.
    meant = _ERROR if status == 1 and run is None else status
    return Attempt(task.job.name, task.number, end, task.host, lease.fence, meant, run, why), hurt


def judge(status: int, out: str, err: str) -> tuple[End, str | None, str, bool]:
    """Say how a command ended, the run that it recorded (None: none), why it is LOST, and whether its host was hurt.

    ``out`` is its JSON document, if it came to one; where that names no boots, those of the run are read. A loss in
    one boot makes the attempt LOST: that boot is INCONCLUSIVE, and stays so in its run.
    """
    document: Mapping[str, object] = {}
    try:
        found = json.loads(out)
        document = found if isinstance(found, dict) else {}
    except ValueError:
        pass
    run = document.get("results")
    reasons = [reason for boot, reason in _boots(document) if boot in (Status.INCONCLUSIVE, Status.ERROR)]
    if status == _ERROR:
        reasons.append(err.strip()[-300:])
    lost = next((reason for reason in reasons if _LOST.search(reason) or _HURT.search(reason)), "")
    if not lost and (status < 0 or status == _INTERRUPTED):
        lost = f"the command was ended by signal {-status}" if status < 0 else "the command was interrupted"
    return End.LOST if lost else End.DONE, None if run is None else str(run), lost, bool(_HURT.search(lost))


def _boots(document: Mapping[str, object]) -> list[tuple[str, str]]:
    # The status of each boot, and why.
    boots = document.get("boots")
    if isinstance(boots, list):
        return [(str(boot.get("status")), str(boot.get("reason", ""))) for boot in boots if isinstance(boot, dict)]
    folder = Path(str(document.get("results")))
    if not (folder / "boots.jsonl").exists():
        return []
    return [(line.status, line.reason) for line in Run(folder).lines()]
