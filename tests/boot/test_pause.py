from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.boot.pause import pause_thread

# Two threads beside the first, each of which counts what it has used.
BUSY = """
import threading, sys
def work():
    while True: sum(range(1000))
for _ in range(2): threading.Thread(target=work, daemon=True).start()
print("up", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        try:
            pause_thread(_threads(process)[-1], lambda: None)
        except OSError as error:
            process.kill()
            pytest.skip(f"ptrace is not allowed here: {error}")
        yield process
        process.kill()


def _threads(process: subprocess.Popen[str]) -> list[int]:
    return sorted(int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir())


def _state(process: subprocess.Popen[str], thread: int) -> str:
    return Path(f"/proc/{process.pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()[0]


def test_one_thread_stops_and_the_others_run_on(busy: subprocess.Popen[str]) -> None:
    first, second, third = _threads(busy)
    states: list[str] = []
    assert pause_thread(second, lambda: states.extend(_state(busy, thread) for thread in (first, second, third)))
    assert states[1] == "t"  # tracing stop
    assert states[0] in "SR"
    assert states[2] in "SR"
    assert _state(busy, second) in "SR"
    assert busy.poll() is None


def test_a_process_that_is_killed_meanwhile_ends_at_once(busy: subprocess.Popen[str]) -> None:
    pause_thread(_threads(busy)[1], busy.kill)
    assert busy.wait(10) == -9


def test_a_thread_that_has_ended_is_said_to_have(busy: subprocess.Popen[str]) -> None:
    thread = _threads(busy)[1]
    busy.kill()
    busy.wait(10)
    assert not pause_thread(thread, lambda: None)
