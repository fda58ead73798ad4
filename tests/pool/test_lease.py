from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.pool.lease import Blocked, Leases, Who

ME = Who("me", "job")


def until(what: Callable[[], bool], limit_s: float = 20) -> None:
    end_s = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def stopped() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def is_free(leases: Leases, slots: int, *, exclusive: bool = False) -> bool:
    try:
        with leases.hold("h", slots, ME, exclusive=exclusive, stop=stopped()):
            return True
    except InterruptedError:
        return False


# A process that holds a lease until it is killed, or until its input ends; it says so once it has it.
HOLDER = """
import sys, subprocess
from pathlib import Path
from harness.pool.lease import Leases, Who
leases, who, alone = Leases(Path(sys.argv[1])), Who("other", "theirs"), sys.argv[3] == "x"
with leases.hold("h", int(sys.argv[2]), who, exclusive=alone) as lease:
    child = subprocess.Popen(["sleep", "60"], pass_fds=lease.descriptors) if sys.argv[4:] else None
    print(child.pid if child else 0, flush=True)
    sys.stdin.read()
"""


def holder(
    folder: Path, slots: int, *, exclusive: bool = False, child: bool = False
) -> tuple[subprocess.Popen[str], int]:
    words = [
        sys.executable,
        "-c",
        HOLDER,
        str(folder),
        str(slots),
        "x" if exclusive else "-",
        *(["c"] if child else []),
    ]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_slots_are_counted_and_exclusive_is_alone(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    with leases.hold("h", 2, ME) as one, leases.hold("h", 2, ME) as two:
        assert two.fence == one.fence + 1
        assert not is_free(leases, 2)
        with leases.hold("other", 1, ME):
            pass
    assert is_free(leases, 2, exclusive=True)
    with leases.hold("h", 2, ME):
        assert is_free(leases, 2) and not is_free(leases, 2, exclusive=True)
    with leases.hold("h", 2, ME, exclusive=True):
        assert not is_free(leases, 2)
        assert "alone" in leases.state("h", 2).holders[0]


def test_never_more_than_the_slots_and_nothing_beside_an_exclusive_job(tmp_path: Path) -> None:
    lock, now, seen = threading.Lock(), {"boots": 0, "alone": 0}, []

    def work(exclusive: bool) -> None:
        kind = "alone" if exclusive else "boots"
        with Leases(tmp_path).hold("h", 3, ME, exclusive=exclusive):
            with lock:
                now[kind] += 1
                seen.append(dict(now))
            time.sleep(0.01)
            with lock:
                now[kind] -= 1

    threads = [threading.Thread(target=work, args=(number % 5 == 4,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20
    assert all(each["boots"] <= 3 and each["alone"] <= 1 and not (each["boots"] and each["alone"]) for each in seen)
    assert leases_are_gone(tmp_path)


def leases_are_gone(folder: Path) -> bool:
    state = Leases(folder).state("h", 3)
    return state.holders == () and state.waiting == 0


def test_who_waits_is_served_by_priority_and_then_by_turn(tmp_path: Path) -> None:
    leases, order = Leases(tmp_path), []

    def work(name: str, priority: int, exclusive: bool) -> None:
        with leases.hold("h", 2, ME, exclusive=exclusive, priority=priority):
            order.append(name)

    with leases.hold("h", 2, ME, exclusive=True):
        threads = []
        waits = [("nightly", 0, False), ("kernel", 0, True), ("later", 0, False), ("bisect", 10, True)]
        for number, each in enumerate(waits, start=1):
            threads.append(threading.Thread(target=work, args=each))
            threads[-1].start()
            until(lambda number=number: leases.state("h", 2).waiting == number)
    for thread in threads:
        thread.join()
    assert order == ["bisect", "nightly", "kernel", "later"]


def test_a_dead_clients_host_comes_back_and_a_live_ones_is_never_taken(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    process, _ = holder(tmp_path, 1)
    with process:
        assert leases.state("h", 1).holders == (f"other: theirs (pid {process.pid})",)
        os.kill(process.pid, signal.SIGSTOP)  # as good as dead to whoever only counts heartbeats
        assert not is_free(leases, 1)
        process.kill()
        process.wait()
    assert is_free(leases, 1)


def test_what_a_dead_client_started_still_has_the_host(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    process, child = holder(tmp_path, 2, exclusive=True, child=True)
    with process:
        process.kill()
        process.wait()
    assert not is_free(leases, 2)
    os.kill(child, signal.SIGKILL)
    until(lambda: is_free(leases, 2))


def test_a_host_that_is_held_or_quarantined_is_given_to_nobody(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    with leases.hold("h", 1, ME) as lease:
        leases.block("h", "held: looking at a hang")
        lease.beat()  # who has it keeps it
    why = r"looking at a hang \(since .* UTC\); svsm-harness hosts --release h"
    with pytest.raises(Blocked, match=why), leases.hold("h", 1, ME):
        pass
    state = leases.state("h", 1)
    assert state.blocked.startswith("held: looking at a hang") and state.waiting == 0
    leases.release("h")
    with leases.hold("h", 1, ME) as again:
        assert again.fence == lease.fence + 1


def test_a_heartbeat_is_seen(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    with leases.hold("h", 1, ME) as lease:
        slot = tmp_path / "h" / "slot-0"
        assert json.loads(slot.read_text())["fence"] == lease.fence
        os.utime(slot, (1, 1))
        assert leases.state("h", 1).silent_s > 1e6
        lease.beat()
        assert leases.state("h", 1).silent_s < 60
