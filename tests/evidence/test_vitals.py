from __future__ import annotations

import os
import subprocess

import pytest

from harness.evidence.vitals import ThreadLook, look_script, parse_process

# proc(5): the name holds a bracket and a blank, as a thread's may.
STAT = "41 (CPU 0) /TCG) R 1 41 41 0 -1 4194304 5 0 0 0 120 30 0 0 20 0 4 0 100 2 3\n"


@pytest.mark.parametrize(
    ("text", "threads", "stalled_us"),
    [
        ("", (), None),
        (f"@ 41\n{STAT}5000 700 9\n@psi\nsome avg10=1.0 avg60=0 avg300=0 total=77\nfull avg10=0 total=5\n",
         (ThreadLook(41, 0, "R", 5000, 700),), 77),
        # A kernel without schedstat counts in clock ticks, and not how long a thread waited.
        (f"@ 41\n{STAT}@psi\n", (ThreadLook(41, 0, "R", 1_500_000_000, None),), None),
        # A thread that ended between its name and its numbers.
        (f"@ 40\n@ 41\n{STAT}5000 700 9\n", (ThreadLook(41, 0, "R", 5000, 700),), None),
        ("@ 41\n41 (cut\n@psi\n", (), None),
    ],
)  # fmt: skip
def test_what_proc_says_of_threads(text: str, threads: tuple[ThreadLook, ...], stalled_us: int | None) -> None:
    assert parse_process(text, {41: 0}) == (threads, stalled_us)


def test_a_thread_that_runs_no_vcpu_is_told_apart() -> None:
    (thread,), _ = parse_process(f"@ 41\n{STAT}1 2 3\n", {})
    assert thread.vcpu is None


def test_the_script_prints_what_is_parsed() -> None:
    pid = os.getpid()
    said = subprocess.run(["/bin/sh", "-c", look_script(pid)], capture_output=True, text=True, check=True).stdout
    threads, _ = parse_process(said, {pid: 3})
    (mine,) = (thread for thread in threads if thread.tid == pid)
    assert mine.vcpu == 3 and mine.cpu_ns > 0 and mine.state in "RS"
