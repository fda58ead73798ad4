"""Pools of several hosts on one machine, by dask itself: what is killed loses nothing, and nothing counts twice."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import InputError, Unsupported
from harness.pool.cluster import choose_host, require_distributed, run_jobs
from harness.pool.jobs import Job
from harness.pool.journal import Attempt, End, read_journal
from harness.pool.lease import Leases

from .fake import hosts_of, log_of, task_in

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra pool is not installed"),
    # Of distributed's own making, while it starts and while its workers are killed.
    pytest.mark.filterwarnings("default"),
]


def job(name: str, what: str = "pass", seconds: float = 0.0, **more: object) -> Job:
    return Job(name, ("run", what, str(seconds), name), **more)  # type: ignore[arg-type]


def run(folder: Path, hosts: dict[str, int], *jobs: Job) -> Mapping[str, Attempt]:
    return run_jobs(jobs, hosts, task_in(folder, hosts), lambda attempt: None)


def test_a_host_is_chosen() -> None:
    hosts = {"a": 2, "b": 4}
    assert choose_host(job("j"), hosts, {}, {}, []) == "b"
    assert choose_host(job("j"), hosts, {"b": 3, "a": 1}, {}, []) == "a"
    assert choose_host(job("j"), hosts, {"a": 1}, {"b": 1}, []) == "a"
    assert choose_host(job("j", host="a"), hosts, {"a": 9}, {"a": 1}, []) == "a"
    assert choose_host(job("j"), hosts, {}, {}, ["b"]) == "a"
    assert choose_host(job("j", host="a"), hosts, {}, {}, ["a"]) is None


def test_what_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"there is no host c in the pool; hosts: a"):
        run(tmp_path, {"a": 1}, job("j", host="c"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unsupported, match=r"pip install 'svsm-harness\[pool\]'"):
        require_distributed()


def test_caps_priorities_exclusive_jobs_losses_and_quarantine(tmp_path: Path) -> None:
    boots = [job(f"boot-{number}", seconds=0.05) for number in range(12)]
    alone = [job(f"kernel-{host}", seconds=0.1, host=host, exclusive=True, priority=5) for host in "ab"]
    odd = [job("lost", "lost"), job("hurt", "hurt", host="a", priority=-1)]
    done = run(tmp_path, {"a": 2, "b": 3}, *boots, *alone, *odd)
    assert set(done) == {each.name for each in (*boots, *alone, odd[0])}

    running: dict[str, set[str]] = {"a": set(), "b": set()}
    for _, event, name, host, _ in log_of(tmp_path):
        (running[host].add if event == "begin" else running[host].discard)(name)
        assert len(running[host]) <= {"a": 2, "b": 3}[host]
        assert len(running[host]) <= 1 or not any(each.startswith("kernel") for each in running[host])
    # A developer's bisect before the nightly: only what ran already is before it.
    for host in "ab":
        began = [name for _, event, name, at, _ in log_of(tmp_path) if event == "begin" and at == host]
        assert began.index(f"kernel-{host}") <= 3

    attempts = read_journal(tmp_path / "journal.jsonl")
    ends = Counter((each.job, each.end) for each in attempts)
    assert all(ends[each.name, End.DONE] == 1 for each in (*boots, *alone))
    assert [(each.number, each.end) for each in attempts if each.job == "lost" and each.end is not End.BEGUN] == [
        (1, End.LOST),
        (2, End.DONE),
    ]
    assert ends["hurt", End.DONE] == 0 and "quarantined" in Leases(tmp_path / "leases").state("a", 2).blocked
    # What is done is not done again.
    before = len(log_of(tmp_path))
    assert run(tmp_path, {"a": 2, "b": 3}, *boots) == {each.name: done[each.name] for each in boots}
    assert len(log_of(tmp_path)) == before


def wait_for(folder: Path, *jobs: str) -> dict[str, int]:
    """Return the processes of these jobs, once all have begun."""
    end_s = time.monotonic() + 40
    while True:
        found = {name: pid for _, event, name, _, pid in log_of(folder) if event == "begin"}
        if all(name in found for name in jobs):
            return found
        assert time.monotonic() < end_s, found
        time.sleep(0.02)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_killed_worker_and_a_killed_command_lose_their_attempt_and_nothing_else(tmp_path: Path) -> None:
    found: dict[str, Attempt] = {}
    jobs = (job("by-worker", "once", host="a"), job("by-command", "once", host="b"), job("calm", seconds=1, host="b"))
    thread = threading.Thread(target=lambda: found.update(run(tmp_path, {"a": 1, "b": 2}, *jobs)))
    thread.start()
    pids = wait_for(tmp_path, "by-worker", "by-command")
    os.kill(parent_of(pids["by-worker"]), signal.SIGKILL)
    os.kill(pids["by-command"], signal.SIGKILL)
    thread.join(60)
    assert {name: (each.number, each.end) for name, each in found.items()} == {
        "by-worker": (2, End.DONE),
        "by-command": (2, End.DONE),
        "calm": (1, End.DONE),
    }
    attempts = read_journal(tmp_path / "journal.jsonl")
    whys = {each.job: each.why for each in attempts if each.end is End.LOST}
    assert whys["by-worker"].startswith("its worker died") and "signal 9" in whys["by-command"]
    # The worker's command went with it: the host was never used beyond its cap.
    assert [event for _, event, name, _, _ in log_of(tmp_path) if name == "by-worker"] == ["begin", "end"] * 2


CONTROLLER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pool.fake import task_in
from pool.test_cluster import job
from harness.pool.cluster import run_jobs
if __name__ == "__main__":
    hosts = {"a": 1, "b": 1}
    run_jobs([job("slow", "once", host="a"), job("quick", host="b")], hosts, task_in(Path(sys.argv[2]), hosts), print)
"""


def test_after_a_killed_controller_the_pool_goes_on(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CONTROLLER, str(Path(__file__).parents[1]), str(tmp_path)]
    (tmp_path / "controller.py").write_text(CONTROLLER)
    words[1:3] = [str(tmp_path / "controller.py")]
    journal = tmp_path / "journal.jsonl"
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as controller:
        wait_for(tmp_path, "slow", "quick")
        end_s = time.monotonic() + 30
        while not any(each.job == "quick" and each.end is End.DONE for each in read_journal(journal)):
            assert time.monotonic() < end_s
            time.sleep(0.02)
        controller.kill()
    found = run(tmp_path, {"a": 1, "b": 1}, job("slow", "once", host="a"), job("quick", host="b"))
    assert {name: (each.number, each.end) for name, each in found.items()} == {
        "slow": (2, End.DONE),
        "quick": (1, End.DONE),
    }
    lost = [each for each in read_journal(journal) if each.end is End.LOST]
    assert [(each.job, each.number, each.why) for each in lost] == [("slow", 1, "its worker or its controller died")]
    # The first command was interrupted before the host was given again.
    assert [event for _, event, name, _, _ in log_of(tmp_path) if name == "slow"] == ["begin", "end"] * 2
    assert hosts_of(tmp_path, "quick") == ["b"]
