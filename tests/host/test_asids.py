"""Locks for ASIDs, held by several at once through this machine's shell, and by holders that die."""

import asyncio
import os
import shutil
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import harness.host.asids as subject
from harness.clock import Deadline
from harness.errors import HostError
from harness.host.asids import ask_slots, exclusive_host, parse_slots, snp_slot
from harness.host.local import LocalHost

pytestmark = pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(subject, "_FOLDER", f"d={tmp_path}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        ("sev 410\nsev_es 99\n", 99),
        ("sev_es 0\n", None),
        ("", None),
        ("sev 410\n", None),
        ("tdx 3\nsev_es 1006\n", 1006),
    ],
)
def test_the_capacity_is_that_of_sev_es(said: str, slots: int | None) -> None:
    assert parse_slots(said) == slots


def test_a_host_without_sev_says_nothing() -> None:
    if not Path("/sys/fs/cgroup/misc.capacity").exists():
        assert asyncio.run(ask_slots(LocalHost())) is None


def test_never_more_hold_than_there_are() -> None:
    holding, most = 0, 0

    async def one(host: LocalHost) -> None:
        nonlocal holding, most
        async with snp_slot(host, 2):
            holding += 1
            most = max(most, holding)
            await asyncio.sleep(0.05)
            holding -= 1

    async def scenario() -> None:
        await asyncio.gather(*(one(LocalHost()) for _ in range(5)))

    asyncio.run(scenario())
    assert most == 2


def test_the_whole_host_waits_for_all_and_keeps_all_out() -> None:
    order = []

    async def scenario() -> None:
        host = LocalHost()

        async def alone() -> None:
            async with exclusive_host(host):
                order.append("alone")
                await asyncio.sleep(0.3)
                order.append("alone ends")

        async def late() -> None:
            async with snp_slot(host, 8):
                order.append("late")

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(snp_slot(host, 8))
            job = asyncio.create_task(alone())
            await asyncio.sleep(0.5)  # until it waits
            boot = asyncio.create_task(late())
            await asyncio.sleep(0.5)
            assert order == []  # one holds, one waits for it, and nobody passes the one that waits
            order.append("boot ends")
        await asyncio.gather(job, boot)

    asyncio.run(scenario())
    assert order == ["boot ends", "alone", "alone ends", "late"]


def test_a_dead_holder_frees_its_slot(folder: Path) -> None:
    async def scenario() -> float:
        host = LocalHost()
        async with host.open(f"# x\nd={folder}\n{subject._HELD.format(wait=subject._SLOT.format(slots=1))}") as process:
            assert await process.receive() == (b"got\n", b"")
            waiting = asyncio.create_task(_take(host))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            begin_s = time.monotonic()
            os.killpg(process._process.pid, signal.SIGKILL)
            await asyncio.wait_for(waiting, 20)
            return time.monotonic() - begin_s

    asyncio.run(scenario())


async def _take(host: LocalHost) -> None:
    async with snp_slot(host, 1):
        pass


def test_who_gives_up_waiting_leaves_nothing(folder: Path) -> None:
    async def scenario() -> None:
        host = LocalHost()
        async with snp_slot(host, 1):
            with pytest.raises(TimeoutError):
                async with Deadline.after(0.5).limit():
                    await _take(host)
        async with Deadline.after(20).limit():
            await _take(host)

    asyncio.run(scenario())


def test_a_host_that_cannot_lock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_FOLDER", 'echo "flock is missing" >&2; exit 1\n')

    async def scenario() -> None:
        async with snp_slot(LocalHost(), 1):
            raise AssertionError("it has one")

    with pytest.raises(HostError, match="cannot give an ASID: flock is missing"):
        asyncio.run(scenario())
