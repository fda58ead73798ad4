"""Memory for guests is never promised twice, whoever asks and however they end."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import Unsupported
from harness.host.memory import MemoryBudget

SLICE = 128 << 20
QEMU = 256 << 20  # what is added for QEMU itself: two slices

# Holds a guest of argv[2] bytes of a budget of argv[3] slices until its standard input closes. While it does, it
# counts itself in a file, under a lock of its own: the count is what must never exceed the budget.
HOLDER = """
import asyncio, fcntl, os, sys
from pathlib import Path
from harness.host.memory import MemoryBudget

folder, guest, slices, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def count(change):
    with open(folder / "count", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        used, most = map(int, (file.read() or "0 0").split())
        used += change
        file.truncate(0)
        file.write(f"{used} {max(used, most)}")
        file.flush()

async def main():
    budget = MemoryBudget(folder / "locks", slices)
    if rounds > 1:  # all begin together, for only then do they meet
        print("ready", flush=True)
        sys.stdin.readline()
    for _ in range(rounds):
        async with budget.reserve(guest):
            count(guest)
            if rounds == 1:
                print("held", flush=True)
                await asyncio.to_thread(sys.stdin.read)
            else:
                await asyncio.sleep(0.001)
            count(-guest)

asyncio.run(main())
"""


def holder(folder: Path, guest: int, slices: int, rounds: int = 1) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", HOLDER, str(folder), str(guest), str(slices), str(rounds)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def at_once(budget: MemoryBudget, guest: int) -> bool:
    try:
        async with asyncio.timeout(0.3), budget.reserve(guest):
            return True
    except TimeoutError:
        return False


def test_two_processes_never_hold_more_than_there_is(tmp_path: Path) -> None:
    guest = SLICE  # three slices each with QEMU's own: two fit into seven, three do not
    workers = [holder(tmp_path, guest, slices=7, rounds=30) for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        _, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
    used, most = map(int, (tmp_path / "count").read_text().split())
    assert used == 0
    assert most == 2 * guest  # as many as fit, and never one more


def test_a_holder_that_is_killed_gives_its_memory_back(tmp_path: Path) -> None:
    budget = MemoryBudget(tmp_path / "locks", 4)
    with holder(tmp_path, SLICE, slices=4) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert not asyncio.run(at_once(budget, SLICE))
        process.kill()
        process.wait()
        assert asyncio.run(at_once(budget, SLICE))


def test_what_fits_beside_others_need_not_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        budget = MemoryBudget(tmp_path, 6)
        async with budget.reserve(SLICE):
            assert await at_once(budget, SLICE)
            assert not await at_once(budget, 2 * SLICE)
        assert await at_once(budget, 4 * SLICE)

    asyncio.run(scenario())


def test_a_small_guest_does_not_starve_a_large_one(tmp_path: Path) -> None:
    # The large one waits first; small ones that come later must not keep taking what it collects.
    async def scenario() -> list[str]:
        budget, order = MemoryBudget(tmp_path, 6), []
        holding, release = asyncio.Event(), asyncio.Event()

        async def guest(name: str, size: int, hold: asyncio.Event | None = None) -> None:
            async with budget.reserve(size):
                order.append(name)
                holding.set()
                if hold is not None:
                    await hold.wait()

        first = asyncio.create_task(guest("first", SLICE, release))
        await holding.wait()
        large = asyncio.create_task(guest("large", 4 * SLICE))
        await asyncio.sleep(0.1)
        small = asyncio.create_task(guest("small", SLICE))
        await asyncio.sleep(0.2)
        assert order == ["first"]
        release.set()
        await asyncio.gather(first, large, small)
        return order

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) == ["first", "large", "small"]


def test_two_that_are_half_served_do_not_block_each_other(tmp_path: Path) -> None:
    # Memory comes free in two halves; were both to take a half, neither would ever have enough. They look 50 ms apart,
    # so the halves are freed at different places of that time.
    async def scenario(offset_s: float) -> None:
        budget = MemoryBudget(tmp_path, 6)
        large = 3 * SLICE  # five slices with QEMU's own

        async def one() -> None:
            async with budget.reserve(large):
                pass

        async with budget.reserve(SLICE):
            async with budget.reserve(SLICE):
                first = asyncio.create_task(one())
                await asyncio.sleep(0.025)
                second = asyncio.create_task(one())
                await asyncio.sleep(0.1 + offset_s)
            await asyncio.sleep(0.06)
            await asyncio.sleep(0.075 - offset_s)
        async with asyncio.timeout(3):
            await asyncio.gather(first, second)

    for step in range(6):
        asyncio.run(scenario(step * 0.01))


def test_what_is_cancelled_while_it_waits_holds_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        budget = MemoryBudget(tmp_path, 4)
        async with budget.reserve(SLICE):
            waiting = asyncio.create_task(at_once(budget, 2 * SLICE))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert await at_once(budget, 2 * SLICE)

    asyncio.run(scenario())


def test_an_error_in_the_body_gives_it_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        budget = MemoryBudget(tmp_path, 3)
        with pytest.raises(RuntimeError):
            async with budget.reserve(SLICE):
                raise RuntimeError
        assert await at_once(budget, SLICE)

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterating a Path keeps a descriptor open
    asyncio.run(scenario())
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize(("guest", "fits"), [(SLICE, True), (SLICE + 1, False), (1, True), (100 * SLICE, False)])
def test_a_guest_that_would_not_fit_alone_is_unsupported_at_once(tmp_path: Path, guest: int, fits: bool) -> None:
    budget = MemoryBudget(tmp_path, 3)
    begin_s = time.monotonic()
    if fits:
        assert asyncio.run(at_once(budget, guest))
    else:
        with pytest.raises(Unsupported, match=r"the guest needs .*, the host has 384M.* \(a smaller machine\.memory\)"):
            asyncio.run(at_once(budget, guest))
        assert time.monotonic() - begin_s < 0.2


def test_this_machine_offers_most_of_its_memory(tmp_path: Path) -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 1 <= MemoryBudget.of_this_machine(tmp_path).slices <= total * 0.8 // SLICE
