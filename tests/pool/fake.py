"""Stand in for the harness's command in tests of the pool: hosts that do not exist, boots that take a moment."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.pool.attempt import Task
from harness.pool.jobs import Job

__all__ = ["hosts_of", "log_of", "task_in"]

# It writes when it began and ended, and prints the document that the harness would. Its words say what becomes of it.
_PROGRAM = """
import json, os, sys, time
from pathlib import Path
words = sys.argv[1:]
host, results = words[words.index("--host") + 1], Path(words[words.index("--results") + 1])
what, seconds, job = words[1], float(words[2]), words[3]
def note(event):
    with (results / "log").open("a") as log:
        log.write(f"{time.monotonic()} {event} {job} {host} {os.getpid()}\\n")
note("begin")
try:
    if what == "once" and not (results / job).exists():
        (results / job).touch()
        time.sleep(60)
    time.sleep(seconds)
finally:
    note("end")
boots = [{"status": "PASS", "reason": ""}]
if what == "lost" and not (results / job).exists() or what == "gone":
    (results / job).touch()
    boots = [{"status": "INCONCLUSIVE", "reason": f"host {host} was lost while booting: the connection broke"}]
if what == "hurt" and host == "a":
    boots = [{"status": "INCONCLUSIVE", "reason": f"host {host} was hurt by an earlier boot (x): an oops; reboot it"}]
print(json.dumps({"results": f"r/{job}", "boots": boots}))
sys.exit(0 if boots[0]["status"] == "PASS" else 3)
"""


def task_in(folder: Path, slots: dict[str, int]):
    """Return what makes the task of a job on a host."""
    (folder / "program.py").write_text(_PROGRAM)
    program = (sys.executable, str(folder / "program.py"))

    def make(job: Job, number: int, host: str) -> Task:
        return Task(
            job, number, host, slots[host], "test", folder / "leases", folder / "journal.jsonl", folder, program
        )  # fmt: skip

    return make


def log_of(folder: Path) -> list[tuple[float, str, str, str, int]]:
    """Return (time, begin or end, job, host, process) of everything that the commands did, in its order."""
    path = folder / "log"
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(float(at), event, job, host, int(pid)) for at, event, job, host, pid in rows]


def hosts_of(folder: Path, job: str) -> list[str]:
    """Return the hosts on which a job began, in their order."""
    return [host for _, event, name, host, _ in log_of(folder) if name == job and event == "begin"]
