from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.boot.holder import Holder
from harness.errors import HarnessError, HostError


@asynccontextmanager
async def noted(seen: list[str], name: str, leaving: Exception | None = None) -> AsyncIterator[str]:
    task = asyncio.current_task()
    seen.append(f"+{name}")
    async with asyncio.timeout(60), asyncio.TaskGroup():  # both refuse to be left in another task
        try:
            yield name
        finally:
            assert asyncio.current_task() is task
            seen.append(f"-{name}")
    if leaving is not None:
        raise leaving


def test_the_next_one_is_entered_after_the_last_was_left() -> None:
    async def scenario() -> list[str]:
        seen: list[str] = []
        holder: Holder[str] = Holder()
        assert await asyncio.create_task(holder.enter(noted(seen, "a"))) == "a"
        assert await holder.enter(noted(seen, "b")) == "b"
        await holder.leave()
        await holder.leave()
        return seen

    assert asyncio.run(scenario()) == ["+a", "-a", "+b", "-b"]


def test_what_entering_raises_is_raised_and_the_holder_is_as_before() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[str]:
        raise HostError("no")
        yield ""

    async def scenario() -> str:
        holder: Holder[str] = Holder()
        with pytest.raises(HostError, match="no"):
            await holder.enter(broken())
        return await holder.enter(noted([], "a"))

    assert asyncio.run(scenario()) == "a"


def test_who_gives_up_waiting_ends_the_entering() -> None:
    ended: list[str] = []

    @asynccontextmanager
    async def endless() -> AsyncIterator[str]:
        try:
            await asyncio.Event().wait()
            yield ""
        finally:
            await asyncio.sleep(0)
            ended.append("yes")

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Holder[str]().enter(endless())

    asyncio.run(scenario())
    assert ended == ["yes"]


@pytest.mark.parametrize(("error", "raised"), [(HarnessError("ours"), False), (ValueError("a bug"), True)])
def test_leaving_passes_over_our_errors_only(error: Exception, raised: bool) -> None:
    async def scenario() -> None:
        holder: Holder[str] = Holder()
        await holder.enter(noted([], "a", error))
        await holder.leave()

    if raised:
        with pytest.raises(ValueError, match="a bug"):
            asyncio.run(scenario())
    else:
        asyncio.run(scenario())
