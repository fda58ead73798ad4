from __future__ import annotations

import asyncio
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


def _run(act: object, course: object) -> bool:
    async def done() -> bool:
        disturbance = Disturbance(lambda machine: act())  # type: ignore[operator]
        return await disturb(disturbance, course(), MACHINE)  # type: ignore[operator]

    return asyncio.run(done())


def test_the_guest_is_given_up_when_the_act_is_over() -> None:
    assert _run(_at_once, _for_ever) is True


def test_a_boot_that_ends_first_is_not_given_up() -> None:
    assert _run(_for_ever, _at_once) is False


@pytest.mark.parametrize(("act", "course"), [(_fails, _for_ever), (_for_ever, _fails)])
def test_what_goes_wrong_is_not_swallowed(act: object, course: object) -> None:
    with pytest.raises(ValueError, match="no"):
        _run(act, course)
