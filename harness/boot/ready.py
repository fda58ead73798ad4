"""Wait until a guest is usable, or known not to become so."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from harness.boot.context import BootContext
from harness.boot.load import Load
from harness.clock import Deadline
from harness.evidence.startup import MILESTONES, SSH
from harness.guest.secrets import BootSecrets
from harness.guest.ssh import GuestFileError, SshError, connect, warm_up
from harness.qemu.machine import VirtualMachine
from harness.qemu.process import describe_status
from harness.scenario.model import Payload
from harness.scenario.snp_contradictions import SVSM_PAYLOAD

__all__ = ["until_gone", "until_payload_done", "until_ready"]

_READY_LINE = next(milestone.pattern for milestone in MILESTONES if milestone.name == "ready")
# An SVSM that runs alone is up when it waits for requests [from its order of lines; not seen without SNP].
_SVSM_READY = next(milestone.pattern for milestone in MILESTONES if milestone.name == "svsm-requests")


async def until_gone(machine: VirtualMachine, *, ends_qemu: bool) -> str:
    """Return, in words, how the guest ended: QEMU ended, or the guest asked for a shutdown, at which QEMU stops it.

    ``ends_qemu`` says that QEMU ends with the guest; its exit status is then waited for.
    """
    if ends_qemu:
        return f"QEMU ended, {describe_status(await machine.process.wait())}"
    ended = asyncio.create_task(machine.process.wait())
    event = asyncio.create_task(machine.monitor.wait_event("SHUTDOWN"))
    try:
        await asyncio.wait({ended, event}, return_when=asyncio.FIRST_COMPLETED)
        if event.done() and not event.exception():
            return f"SHUTDOWN, {event.result().text('reason') or 'no reason given'}"
        return f"QEMU ended by itself, {describe_status(await ended)}"
    finally:
        for task in (ended, event):
            task.cancel()
        await asyncio.gather(ended, event, return_exceptions=True)


async def until_ready(
    context: BootContext, load: Load, deadline: Deadline, gone: asyncio.Task[str], stack: AsyncExitStack
) -> None:
    """Set ``context.ready_s``, and ``context.shell`` where the guest has SSH; or ``context.gave_up_s``.

    Neither is set if the guest ended first. What was opened is closed by ``stack``.
    """
    if load.secrets is not None and load.ssh:
        await _wait_for(_reach(context, load.secrets, deadline, stack), context, gone)
    else:
        await _wait_for(_await_line(context, deadline), context, gone)


async def until_payload_done(
    context: BootContext, payload: Payload, deadline: Deadline, gone: asyncio.Task[str]
) -> None:
    """Wait until a payload has done its plan; sets ``context.gave_up_s`` if it has not by the deadline.

    A payload that can end QEMU does so, and its report is whole only then; any other says that it is ready.
    """
    if not payload.debug_exit:
        line = _SVSM_READY if payload.image == SVSM_PAYLOAD else _READY_LINE
        await _wait_for(_await_line(context, deadline, line), context, gone)
        return
    await asyncio.wait({gone}, timeout=deadline.remaining_s)
    if not gone.done():
        context.gave_up_s = context.machine.now_s()


async def _wait_for(work: Coroutine[Any, Any, None], context: BootContext, gone: asyncio.Task[str]) -> None:
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            context.ready_s = context.machine.now_s()
    except (TimeoutError, SshError, GuestFileError) as error:
        context.gave_up_s = context.machine.now_s()
        context.gave_up_why = str(error)
    except EOFError:
        pass  # QEMU closed the console: `gone` knows why
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reach(context: BootContext, secrets: BootSecrets, deadline: Deadline, stack: AsyncExitStack) -> None:
    warm = asyncio.create_task(warm_up())  # while the guest boots
    try:
        port = await context.machine.forwarded_port(deadline)
        way = await stack.enter_async_context(context.host.dial(port))
        # The console is a witness of its own, and an attempt before the server listens only makes the next one later.
        await _await_line(context, deadline)
        await warm
    finally:
        warm.cancel()
    context.shell = await stack.enter_async_context(connect("127.0.0.1", port, secrets, deadline, way))
    context.mark(SSH)
    context.sampler = await stack.enter_async_context(context.shell.sampler())


async def _await_line(
    context: BootContext, deadline: Deadline, line: re.Pattern[bytes] = _READY_LINE
) -> None:  # fmt: skip
    await context.machine.console.wait_for(line, deadline, anywhere=True)
