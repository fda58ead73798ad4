"""Show a host that we live, and notice when it has fallen silent.

TCP alone does not tell: behind a jump host, or a port that QEMU forwards, the near end of the connection answers for a
machine that is dead. So every sign of life is answered by the far side's watch (:mod:`harness.host.far_side`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from harness.clock import Deadline
from harness.host.protocol import HostLost, HostProcess

__all__ = ["show_life"]

_SIGN_OF_LIFE_S = 20.0
# An emulated host beside a full load took 8 s for a shell's one word.
_UNHEARD_S = 60.0


async def show_life(watch: HostProcess, silent: Callable[[], Awaitable[None]]) -> None:
    """Say that we live until the watch ends, which is when the connection is lost or somebody has killed it.

    When an answer does not come, ``silent`` is called, and that is the end.
    """
    with suppress(HostLost):
        while True:
            await watch.send(b"alive\n")
            try:
                async with Deadline.after(_UNHEARD_S).limit():
                    answer = await watch.receive()
            except TimeoutError:
                await silent()
                return
            if answer is None:
                return
            with suppress(TimeoutError):
                async with Deadline.after(_SIGN_OF_LIFE_S).limit():
                    if await watch.receive() is None:
                        return
