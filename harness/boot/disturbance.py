"""Do something to a boot on purpose while it runs, to see that what it causes is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

from harness.qemu.machine import VirtualMachine

__all__ = ["Disturbance", "disturb"]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Say what is done to a boot.

    ``act`` gets the machine as soon as the guest runs; once it is entered, the guest is given up, and it is left only
    after the guest was looked at. ``start`` False leaves the guest as QEMU made it: stopped before its first
    instruction.
    """

    act: Callable[[VirtualMachine], AbstractAsyncContextManager[None]]
    start: bool = True


async def disturb(
    disturbance: Disturbance, course: Coroutine[Any, Any, None], machine: VirtualMachine, stack: AsyncExitStack
) -> bool:
    """Let the boot take its course with the disturbance beside it; tell whether that made us give the guest up.

    What was done is undone by ``stack``.
    """
    boot = asyncio.create_task(course)
    act = asyncio.create_task(stack.enter_async_context(disturbance.act(machine)))
    try:
        await asyncio.wait({boot, act}, return_when=asyncio.FIRST_COMPLETED)
        if act.done():
            act.result()
        if boot.done():
            boot.result()
        return not boot.done()
    finally:
        for task in (boot, act):
            task.cancel()
        await asyncio.gather(boot, act, return_exceptions=True)
