"""Talk QMP to one QEMU and keep a journal of everything that was said.

The protocol is qemu.qmp's; what is ours is the deadline on each command, the journal with times, and the choice of
which of the library's exceptions mean that QEMU is gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from qemu.qmp import ConnectError, ExecInterruptedError, ExecuteError, QMPClient, QMPError, StateError
from qemu.qmp.events import EventListener
from qemu.qmp.protocol import Runstate

from harness.clock import Deadline
from harness.errors import HarnessError, HostError
from harness.evidence.records import QmpEvent

__all__ = ["Monitor", "MonitorLost", "QemuHungUp", "QmpRefused", "connect_monitor"]

# The library logs every disconnect of a dying QEMU; the journal and the process status say it better.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)


class MonitorLost(HarnessError):
    """Report that QEMU hung up while a command was under way, or did not answer by its deadline."""


class QemuHungUp(MonitorLost):
    """Report that QEMU hung up while a command was under way: it is ending, and its exit status follows."""


class QmpRefused(HarnessError):
    """Carry QEMU's refusal of a command: ``error_class`` and ``description`` are QMP's."""

    def __init__(self, command: str, error_class: str, description: str) -> None:
        """Take the command and both parts of QMP's error."""
        self.command = command
        self.error_class = error_class
        self.description = description
        super().__init__(f"QMP {command}: {description} ({error_class})")


class Monitor:
    """Execute QMP commands and keep all events; made by :func:`connect_monitor`."""

    def __init__(self, client: QMPClient, now_s: Callable[[], float], journal: Callable[[str], None]) -> None:
        """Take a client that is not connected yet, the clock of the record, and where a line of the journal goes."""
        self._client = client
        self._now_s = now_s
        self._journal = journal
        self._listener = EventListener()
        # Before there is a connection, so that no event can come before the listener.
        client.register_listener(self._listener)
        self._arrived = asyncio.Condition()
        self.events: list[QmpEvent] = []

    async def execute(
        self, command: str, arguments: Mapping[str, object] | None, deadline: Deadline, *, noted: bool = True
    ) -> Any:
        """Execute one command and return what QMP returned.

        ``noted`` False keeps it out of the journal: for questions that are asked again and again.

        :raise QmpRefused: if QEMU answers with an error.
        :raise MonitorLost: if QEMU hangs up, or has not answered at the deadline.
        """
        if noted:
            self._note("sent", {"execute": command, "arguments": dict(arguments or {})})
        try:
            async with deadline.limit():
                answer = await self._client.execute(command, cast(Any, arguments))
        except ExecuteError as error:
            if noted:
                self._note("refused", {"class": error.error_class, "desc": str(error)})
            raise QmpRefused(command, error.error_class, str(error)) from error
        except (ExecInterruptedError, StateError, EOFError, ConnectionError) as error:
            raise QemuHungUp(f"QEMU hung up during QMP {command}") from error
        except TimeoutError as error:
            raise MonitorLost(f"QEMU did not answer QMP {command}") from error
        if noted:
            self._note("returned", answer)
        return answer

    async def human(self, line: str, deadline: Deadline) -> str:
        """Execute one command of the human monitor, for what QMP has no command for.

        :raise QmpRefused, MonitorLost: as :meth:`execute`.
        """
        return str(await self.execute("human-monitor-command", {"command-line": line}, deadline))

    async def wait_event(self, name: str) -> QmpEvent:
        """Return the first event called ``name``, which may be past already; the caller sets the limit."""
        async with self._arrived:
            while True:
                for event in self.events:
                    if event.name == name:
                        return event
                await self._arrived.wait()

    async def follow(self) -> None:
        """Keep every event until QEMU hangs up; run as a task beside everything else."""
        while True:
            message = await self._listener.get()
            data = json.dumps(message.get("data", {}), sort_keys=True)
            self._note("event", {"event": message["event"], "data": message.get("data", {})})
            async with self._arrived:
                self.events.append(QmpEvent(self._now_s(), str(message["event"]), data))
                self._arrived.notify_all()

    def _note(self, kind: str, what: object) -> None:
        self._journal(json.dumps({"at_s": round(self._now_s(), 6), kind: what}, default=str))


@asynccontextmanager
async def connect_monitor(
    channel: socket.socket, now_s: Callable[[], float], journal: Callable[[str], None], deadline: Deadline
) -> AsyncIterator[Monitor]:
    """Connect to QMP on ``channel`` and follow its events for as long as the body runs.

    :raise HostError: if QEMU does not greet by the deadline; the caller knows QEMU's standard error.
    """
    client = QMPClient()
    monitor = Monitor(client, now_s, journal)
    try:
        async with deadline.limit():
            await client.connect(channel)
    except (ConnectError, TimeoutError, AssertionError) as error:
        # The library asserts that a session which it has just opened is open; a QEMU that hung up meanwhile fails that.
        await _leave(client)
        raise HostError("QEMU did not greet on its monitor") from error
    follower = asyncio.create_task(monitor.follow())
    try:
        yield monitor
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        await _leave(client)


async def _leave(client: QMPClient) -> None:
    if client.runstate is not Runstate.IDLE:
        # The library repeats here how its reader ended; QEMU's exit status is what counts.
        with suppress(EOFError, OSError, QMPError):
            await client.disconnect()
