"""Run QEMU on another machine, by scripts over its :class:`~harness.host.protocol.Host`.

QMP goes over the standard streams of one script, which kills QEMU when its input ends: closing the connection ends
QEMU. Each console is a pair of FIFOs in the boot's folder there, carried by a script of its own. Here, each of them is
a socket as it is of a QEMU on this machine, so that everything behind is the same code.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from io import RawIOBase
from pathlib import Path

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.protocol import Host, HostLost, HostProcess
from harness.host.socket_pieces import read_pieces
from harness.qemu.command import Stream, Wiring

__all__ = ["RemoteQemu", "start_process_there", "wiring_there"]

_PIECE_BYTES = 1 << 16
_SIGNAL_BASE = 128
# A shell says 128 + N of a signal and cannot tell it from an exit status; QEMU has no such statuses of its own, and a
# payload that ends QEMU chooses odd ones by itself, of which none that is known is among these.
_DEATHS = frozenset({signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL, signal.SIGSEGV,
                     signal.SIGTERM, signal.SIGSYS})  # fmt: skip


def wiring_there(folder: str, streams: Sequence[Stream]) -> Wiring:
    """Wire a QEMU to FIFOs in ``folder`` on its machine, and its monitor to the script that it runs in."""
    # QEMU's pipe adds .in and .out to the path. A comma in a value is doubled (QEMU util/qemu-option.c).
    escaped = folder.replace(",", ",,")
    return Wiring({stream: f"pipe,path={escaped}/{stream}" for stream in streams}, "stdio,signal=off")


class RemoteQemu:
    """Be a QEMU on another machine; made by :func:`start_process_there`."""

    def __init__(self, host: Host, process: HostProcess) -> None:
        """Take where it runs, and the script that it runs in."""
        self._host = host
        self._script = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # Asked for or not, how it ended is known here; nobody need ever look.
        self._ended.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._pid = 0

    @property
    def pid(self) -> int:
        """Return its process id on that machine."""
        return self._pid

    @property
    def status(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs, and when the host is lost."""
        done = self._ended.done() and not self._ended.cancelled() and self._ended.exception() is None
        return self._ended.result() if done else None

    async def wait(self) -> int:
        """Wait until it has ended, and return how.

        :raise HostLost: if the host goes first.
        """
        return await asyncio.shield(self._ended)

    async def end(self, deadline: Deadline) -> int:
        """Let it end by itself until the deadline, then kill it; return how it ended.

        :raise HostLost: if the host goes first.
        """
        try:
            async with deadline.limit():
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """Kill it now; return how it ended.

        :raise HostLost: if the host goes first, or does not answer.
        """
        if not self._ended.done():
            try:
                await self._host.run(f"kill -KILL {self._pid}", Deadline.after(_KILL_S))
                async with Deadline.after(_KILL_S).limit():
                    return await self.wait()
            except TimeoutError as error:
                raise HostLost(self._host.name, "killing QEMU", "no answer") from error
        return await self.wait()

    # Reads the line that the script says first.
    async def greet(self) -> bytes:
        """Read the process id, and return what came behind it.

        :raise HostError: if the script ends before QEMU runs, with what it said.
        """
        said, errors = b"", b""
        while b"\n" not in said:
            piece = await self._script.receive()
            if piece is None:
                text = errors.decode(errors="replace").strip()
                raise HostError(f"host {self._host.name} starts no QEMU: {text or 'it said nothing'}")
            said += piece[0]
            errors += piece[1]
        line, _, rest = said.partition(b"\n")
        self._pid = int(line)
        return rest

    async def follow(self, channel: socket.socket, rest: bytes, stderr: RawIOBase) -> None:
        """Carry QMP to ``channel`` and standard error to the file until QEMU has ended; run as a task."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(channel, rest)
            while (piece := await self._script.receive()) is not None:
                with suppress(OSError):  # a full disk costs the text, not the boot
                    stderr.write(piece[1])
                if piece[0]:
                    with suppress(ConnectionError):
                        await loop.sock_sendall(channel, piece[0])
            status = await self._script.status()
            if status is None:
                raise HostLost(self._host.name, "running QEMU", "its shell ended without a word")
            self._ended.set_result(_status(status))
        except HostLost as lost:
            self._ended.set_exception(lost)
        finally:
            _hang_up(channel)
            if not self._ended.done():
                self._ended.cancel()


_KILL_S = 5.0
# What a QEMU that has ended may still have said on its consoles.
_LAST_WORDS_S = 1.0


def _status(status: int) -> int:
    number = status - _SIGNAL_BASE
    return -number if number in _DEATHS else status


@asynccontextmanager
async def start_process_there(
    host: Host,
    argv: Sequence[str],
    folder: str,
    stderr: Path,
    monitor: socket.socket,
    consoles: Mapping[Stream, socket.socket],
    files: Mapping[Stream, Path],
    deadline: Deadline,
) -> AsyncIterator[RemoteQemu]:
    """Start QEMU on ``host``; it is gone when the body ends, and so is ``folder`` there, which must exist.

    ``monitor`` and ``consoles`` are QEMU's ends of socket pairs, ``files`` get what comes of a stream as it is.

    :raise HostError: if it cannot be started.
    :raise HostLost, TimeoutError: if the host does not answer, or not until the deadline.
    """
    streams = (*consoles, *files)
    async with AsyncExitStack() as stack:
        log = stack.enter_context(stderr.open("ab", buffering=0))
        script = await stack.enter_async_context(host.open(_qemu_script(argv, folder, streams)))
        qemu = RemoteQemu(host, script)
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(_cancel, tasks)
        async with deadline.limit():
            rest = await qemu.greet()
        for end in (monitor, *consoles.values()):
            end.setblocking(False)
        tasks += [asyncio.create_task(qemu.follow(monitor, rest, log)), asyncio.create_task(_feed(monitor, script))]
        opened = await asyncio.gather(
            *(stack.enter_async_context(host.open(_stream_script(f"{folder}/{stream}"))) for stream in streams)
        )
        async with deadline.limit():
            heads = await asyncio.gather(*(_opened(process, qemu) for process in opened))
        for process, stream, head in zip(opened, streams, heads, strict=True):
            if stream in consoles:
                end = consoles[stream]
                tasks += [asyncio.create_task(_carry(process, end, head)), asyncio.create_task(_feed(end, process))]
            else:
                file = stack.enter_context(files[stream].open("ab", buffering=0))
                tasks.append(asyncio.create_task(_keep(process, file, head)))
        # First of all: what carries its consoles ends by itself when it has gone.
        stack.push_async_callback(_kill, qemu)
        yield qemu


async def _kill(qemu: RemoteQemu) -> None:
    # Shielded: a second Ctrl-C must not leave QEMU behind any longer than the end of the connection takes.
    with suppress(HostLost):
        await asyncio.shield(qemu.kill())


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _opened(process: HostProcess, qemu: RemoteQemu) -> bytes:
    # Returns what came behind the newline that says that both ends are open. A QEMU that did not start opens nothing,
    # and a host that is lost shows where its end is waited for.
    opening = asyncio.create_task(_head(process))
    ending = asyncio.create_task(qemu.wait())
    try:
        await asyncio.wait({opening, ending}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({opening}, timeout=_LAST_WORDS_S)
        return opening.result() if opening.done() else b""
    finally:
        for task in (opening, ending):
            task.cancel()
        await asyncio.gather(opening, ending, return_exceptions=True)


async def _head(process: HostProcess) -> bytes:
    said = b""
    with suppress(HostLost):
        while b"\n" not in said and (piece := await process.receive()) is not None:
            said += piece[0]
    return said.partition(b"\n")[2]


async def _carry(process: HostProcess, end: socket.socket, head: bytes) -> None:
    # That the host is lost is QEMU's to tell; to the console it is an end like any other.
    loop = asyncio.get_running_loop()
    try:
        with suppress(HostLost, ConnectionError):
            await loop.sock_sendall(end, head)
            while (piece := await process.receive()) is not None:
                await loop.sock_sendall(end, piece[0])
    finally:
        _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    # Not close(): another task waits for the same descriptor, the loop would go on watching its number, and whatever
    # gets that number next (the channel of the next script) would never be heard.
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


async def _keep(process: HostProcess, file: RawIOBase, head: bytes) -> None:
    piece: tuple[bytes, bytes] | None = (head, b"")
    with suppress(HostLost):
        while piece is not None:
            view = memoryview(piece[0])
            with suppress(OSError):
                while view:
                    view = view[file.write(view) or 0 :]
            piece = await process.receive()


async def _feed(end: socket.socket, process: HostProcess) -> None:
    with suppress(HostLost, OSError):
        async for piece in read_pieces(end, _PIECE_BYTES):
            await process.send(piece)


def _qemu_script(argv: Sequence[str], folder: str, streams: Sequence[Stream]) -> str:
    fifos = " ".join(shlex.quote(f"{folder}/{stream}.{way}") for stream in streams for way in ("in", "out"))
    return f"""# QEMU
d={shlex.quote(folder)}
umask 077
mkfifo "$d/qmp" {fifos} || exit 1
exec 3<&0
sh -c 'echo $$; exec "$@"' sh {shlex.join(argv)} <"$d/qmp" 3<&- &
q=$!
{{ cat <&3 >"$d/qmp"; kill -KILL $q; }} 2>/dev/null &
w=$!
wait $q; s=$?
kill -KILL $w
# Renamed first: a console that is opened from now on finds nothing, and one that waits for us is let go.
mv "$d" "$d.gone"
for f in "$d.gone"/*.out; do [ -p "$f" ] && : <>"$f"; done
rm -rf "$d.gone"
exit $s
"""


# Opening blocks until QEMU has opened its end, and the newline says so; QEMU's script opens it too when QEMU is gone.
def _stream_script(path: str) -> str:
    p = shlex.quote(path)
    return f"""# a console of QEMU
exec 3<&0 <{p}.out || exit
cat <&3 >{p}.in 2>/dev/null 3<&- &
echo
exec cat 3<&-
"""
