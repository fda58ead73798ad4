from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest

from harness.boot.disturbance import Disturbance, disturb
from harness.qemu.machine import VirtualMachine

MACHINE = cast(VirtualMachine, object())


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _at_once() -> None:
    return


async def _fails() -> None:
    raise ValueError("no")


def _run(act: Callable[[], Awaitable[None]], course: Callable[[], Coroutine[None, None, None]]) -> tuple[bool, bool]:
    # Whether the guest was given up, and whether the act lasted until it was looked at.
    lasted = False

    @asynccontextmanager
    async def acting(machine: VirtualMachine) -> AsyncIterator[None]:
        nonlocal lasted
        await act()
        try:
            yield
        finally:
            lasted = looked

    async def done() -> bool:
        nonlocal looked
        async with AsyncExitStack() as stack:
            gave_up = await disturb(Disturbance(acting), course(), MACHINE, stack)
            looked = True
        return gave_up

    looked = False
    return asyncio.run(done()), lasted


def test_the_guest_is_given_up_when_the_act_is_over() -> None:
    assert _run(_at_once, _for_ever) == (True, True)


def test_a_boot_that_ends_first_is_not_given_up() -> None:
    assert _run(_for_ever, _at_once) == (False, False)


@pytest.mark.parametrize(("act", "course"), [(_fails, _for_ever), (_for_ever, _fails)])
def test_what_goes_wrong_is_not_swallowed(
    act: Callable[[], Awaitable[None]], course: Callable[[], Coroutine[None, None, None]]
) -> None:
    with pytest.raises(ValueError, match="no"):
        _run(act, course)
