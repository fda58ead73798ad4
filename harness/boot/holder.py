"""Hold one asynchronous context open in a task of its own.

A context must be left in the task that entered it (its time limits and task groups are the task's). A host that is
opened and closed in the middle of a bisection, or that outlives one item of a pytest session, has no such place.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from typing import Generic, TypeVar

from harness.errors import HarnessError

__all__ = ["Holder"]

T = TypeVar("T")


class Holder(Generic[T]):
    """Hold at most one context; whoever made it leaves it in the end."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._task: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Leave what is held, enter ``context``, and return what it gives; what entering raises is raised here.

        Cancelled, it ends the entering too, and waits for that.
        """
        await self.leave()
        entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        enough = self._enough = asyncio.Event()

        async def hold() -> None:
            try:
                async with context as value:
                    entered.set_result(value)
                    await enough.wait()
            except asyncio.CancelledError:
                entered.cancel()
                raise
            except Exception as error:
                if entered.done():
                    raise
                entered.set_exception(error)

        self._task = asyncio.create_task(hold())
        try:
            return await asyncio.shield(entered)
        except BaseException:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def leave(self) -> None:
        """Leave what is held; an error of ours is passed over, for what was held is gone either way."""
        task, self._task = self._task, None
        if task is None:
            return
        self._enough.set()
        with suppress(HarnessError):
            await asyncio.shield(task)
