"""Be this machine as a host."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from harness.clock import Deadline
from harness.errors import HarnessBug
from harness.host.facts import parse_facts
from harness.host.protocol import Dialled, Finished, HostFacts, HostKind, HostLost

__all__ = ["LocalHost"]

_READ_BYTES = 1 << 16
# Between the end of a script's input and its end by force: what it has to undo is a few writes.
_GRACE_S = 3.0


class LocalHost:
    """Run scripts on this machine, in a process group of their own each."""

    name = "local"
    kind = HostKind.LOCAL

    def __init__(self) -> None:
        """Look at this machine."""
        self._facts = _facts()

    @property
    def facts(self) -> HostFacts:
        """Return what was found when the harness started."""
        return self._facts

    async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
        """Run a script to its end; see :class:`~harness.host.protocol.Host`."""
        process = await _start(script, feed=bool(stdin))
        try:
            async with deadline.limit():
                out, err = await process.communicate(stdin or None)
        finally:
            await asyncio.shield(_end(process))
        return Finished(_status(process.returncode), out, err)

    @asynccontextmanager
    async def open(self, script: str) -> AsyncIterator[LocalProcess]:
        """Start a script; see :class:`~harness.host.protocol.Host`."""
        process = LocalProcess(await _start(script, feed=True))
        try:
            yield process
        finally:
            await asyncio.shield(process.close())

    async def put(self, content: bytes | Path, deadline: Deadline) -> str:
        """Return the file's own path.

        :raise HarnessBug: for bytes, which have none; QEMU here takes them by a descriptor.
        """
        if isinstance(content, bytes):
            raise HarnessBug("bytes are put on this machine")
        return str(content)

    async def folder(self, deadline: Deadline) -> str:
        """Refuse: QEMU on this machine needs no folder.

        :raise HarnessBug: always.
        """
        raise HarnessBug("a folder is asked for on this machine")

    @asynccontextmanager
    async def dial(self, port: int) -> AsyncIterator[Dialled]:
        """Lead to a port on loopback."""
        yield _LocalPort(port)

    async def explain(self, lost: HostLost) -> str:
        """Return the error's own words: this machine cannot be lost."""
        return str(lost)


class LocalProcess:
    """Be one script that runs here; made by :meth:`LocalHost.open`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a child whose three streams are pipes, and begin to read."""
        self._process = process
        # One piece at a time: a script that nobody reads waits, as on any pipe.
        self._pieces: asyncio.Queue[tuple[bytes, bytes] | None] = asyncio.Queue(1)
        self._ended = False
        assert process.stdout is not None and process.stderr is not None
        readers = (self._read(process.stdout, out=True), self._read(process.stderr, out=False))
        self._reading = asyncio.create_task(self._read_both(*readers))

    async def receive(self) -> tuple[bytes, bytes] | None:
        """Return the next output; None at the end."""
        if self._ended:
            return None
        piece = await self._pieces.get()
        self._ended = piece is None
        return piece

    async def send(self, content: bytes) -> None:
        """Write to the script's standard input."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(ConnectionError):
            stdin.write(content)
            await stdin.drain()

    async def status(self) -> int | None:
        """Return the exit status."""
        return _status(await self._process.wait())

    async def close(self) -> None:
        """End the script's input, then the script, and drop what it still says."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._drain(Deadline.after(_GRACE_S))
        await _end(self._process)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _drain(self, deadline: Deadline) -> None:
        with suppress(TimeoutError):
            async with deadline.limit():
                while await self.receive() is not None:
                    pass
                await self._process.wait()

    async def _read_both(self, *readers: object) -> None:
        await asyncio.gather(*readers)  # type: ignore[call-overload]
        await self._pieces.put(None)

    async def _read(self, stream: asyncio.StreamReader, *, out: bool) -> None:
        while piece := await stream.read(_READ_BYTES):
            await self._pieces.put((piece, b"") if out else (b"", piece))


class _LocalPort:
    def __init__(self, port: int) -> None:
        self._port = port

    async def connect(self, deadline: Deadline) -> socket.socket:
        connection = socket.socket(socket.AF_INET)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with deadline.limit():
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._port))
        except BaseException:
            connection.close()
            raise
        return connection


async def _start(script: str, *, feed: bool) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        script,
        stdin=asyncio.subprocess.PIPE if feed else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that what it started can be ended with it
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # Without this, wait() would wait for the end of pipes that nobody reads any more (seen with Python 3.11, when more
    # than a buffer of output was left). asyncio has no public way to close them.
    process._transport.close()  # type: ignore[attr-defined]
    await process.wait()


def _status(returncode: int | None) -> int | None:
    return None if returncode is None or returncode < 0 else returncode


def _facts() -> HostFacts:
    texts = [Path(path).read_text() for path in ("/proc/sys/kernel/random/boot_id", "/proc/meminfo", "/proc/cpuinfo")]
    return parse_facts(platform.release(), texts[0], str(len(os.sched_getaffinity(0))), *texts[1:])
