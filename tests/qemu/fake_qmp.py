"""Be the far end of a QMP monitor, and do what a broken QEMU does."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from harness.clock import Deadline
from harness.qemu.monitor import Monitor, connect_monitor

__all__ = ["Peer", "monitored"]

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}, "capabilities": []}}


def _identity(command: dict[str, Any]) -> dict[str, Any]:
    # The handshake carries none, and QEMU gives back exactly what it got.
    return {"id": command["id"]} if "id" in command else {}


class Peer:
    """Read commands and send whatever the test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._text = ""

    async def receive(self) -> dict[str, Any]:
        # QMP ends a command where its JSON ends; a client need not send a newline, and this one does not.
        while True:
            with suppress(json.JSONDecodeError):
                command, end = json.JSONDecoder().raw_decode(self._text)
                self._text = self._text[end:].lstrip()
                return dict(command)
            data = await self._reader.read(4096)
            if not data:
                raise EOFError
            self._text += data.decode()

    async def send(self, message: object) -> None:
        self._writer.write(json.dumps(message).encode() + b"\r\n")
        await self._writer.drain()

    async def send_event(self, name: str, **data: object) -> None:
        await self.send({"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 2}})

    async def answer(self, value: object = None) -> dict[str, Any]:
        """Take one command and return ``value`` for it."""
        command = await self.receive()
        await self.send({"return": value if value is not None else {}, **_identity(command)})
        return command

    async def refuse(self, error_class: str, description: str) -> None:
        command = await self.receive()
        await self.send({"error": {"class": error_class, "desc": description}, **_identity(command)})

    async def greet(self) -> None:
        await self.send(GREETING)
        await self.answer()  # qmp_capabilities

    def hang_up(self) -> None:
        self._writer.close()


@asynccontextmanager
async def monitored(
    script: Callable[[Peer], Awaitable[None]], journal: Callable[[str], None] = lambda line: None, limit_s: float = 10
) -> AsyncIterator[Monitor]:
    """Yield a monitor whose QEMU follows ``script``, greeting included."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    peer = Peer(*await asyncio.open_connection(sock=theirs))
    playing = asyncio.ensure_future(script(peer))
    try:
        async with connect_monitor(ours, lambda: 0.25, journal, Deadline.after(limit_s)) as monitor:
            yield monitor
    finally:
        playing.cancel()
        with suppress(asyncio.CancelledError, EOFError, ConnectionError):
            await playing
        peer.hang_up()
        ours.close()
