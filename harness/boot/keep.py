"""Freeze a guest that went wrong or fails a check, with every way in as a line to paste, until a person lets it go."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

from harness.boot.context import BootContext
from harness.boot.load import Load
from harness.boot.near_port import near_port
from harness.boot.run import Stay
from harness.clock import Deadline
from harness.errors import HostError
from harness.host.protocol import HostKind, HostLost
from harness.qemu.console import Console
from harness.qemu.monitor import MonitorLost, QmpRefused

__all__ = ["SECOND_MONITOR", "keeping", "monitor_way", "serve_console"]

#: Options of a second QMP monitor, on a port that the kernel chooses.
SECOND_MONITOR: tuple[tuple[str, ...], ...] = (
    ("-chardev", "socket,id=qmp2,host=127.0.0.1,port=0,server=on,wait=off"),
    ("-mon", "chardev=qmp2,mode=control"),
)

# A frozen guest hears nobody; QEMU answers in milliseconds, or hangs itself.
_ANSWER_S = 3.0
# Measured: 256 MiB in 1.2 s. The largest guests have a thousand times as much.
_DUMP_S = 600.0
_SHOWN_BYTES = 4096
_numbers = count(1)


def keeping(say: Callable[[str], None], release: asyncio.Event) -> Callable[[], Stay]:
    """Return what makes the :class:`Stay` of each boot: one that went wrong or fails a check is frozen until
    ``release`` is set.

    ``say`` gets the lines for the person.
    """

    def stay() -> Stay:
        name = f"svsm-harness-{os.getpid()}-{next(_numbers)}"

        async def hold(context: BootContext, load: Load, gone: asyncio.Task[str]) -> None:
            if (context.went_wrong or context.fails) and context.machine.process.status is None:
                await _keep(context, name, say, release)

        return Stay(SECOND_MONITOR, hold, if_check_fails=True)

    return stay


async def _keep(context: BootContext, name: str, say: Callable[[str], None], release: asyncio.Event) -> None:
    frozen = await _ask(context, "stop")
    what = f"failed ({context.fails})" if context.fails else "went wrong"
    ways = [f"{context.folder}: the guest {what} and is {'frozen' if frozen else 'NOT frozen: QEMU does not answer'}"]
    async with AsyncExitStack() as stack:
        if frozen:
            ways += [await _gdb_stub(context, stack), await _dump(context), await monitor_way(context, stack)]
        there = "" if context.host.kind is HostKind.LOCAL else f" on {context.host.name}"
        ways += [
            f"  console   socat -,raw,echo=0,escape=0x1d ABSTRACT-CONNECT:{name}-console     (Ctrl-] leaves)",
            f"  QEMU      process {context.machine.process.pid}{there}; logs in {context.folder}",
            'Ctrl-C ends it; {"execute": "cont"} lets it run on.',
        ]
        await _until_released(context, name, "\n".join(ways), say, release)


async def _until_released(
    context: BootContext, name: str, lines: str, say: Callable[[str], None], release: asyncio.Event
) -> None:
    ended = asyncio.create_task(context.machine.process.wait())
    with _until_interrupted(release):
        async with serve_console(context.machine.console, f"{name}-console"):
            say(lines)
            released = asyncio.create_task(release.wait())
            try:
                await asyncio.wait({ended, released}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (ended, released):
                    task.cancel()
                await asyncio.gather(ended, released, return_exceptions=True)


async def _ask(context: BootContext, command: str, arguments: dict[str, object] | None = None) -> bool:
    try:
        await context.machine.monitor.execute(command, arguments, Deadline.after(_ANSWER_S))
    except (MonitorLost, QmpRefused):
        return False
    return True


async def monitor_way(context: BootContext, stack: AsyncExitStack) -> str:
    """Return the line that says how to talk to :data:`SECOND_MONITOR`, for as long as ``stack`` is open."""
    port = await _port(context, "qmp2", stack)
    if isinstance(port, str):
        return f"  QMP       not available: {port}"
    return f'  QMP       socat READLINE TCP:127.0.0.1:{port}     (first: {{"execute": "qmp_capabilities"}})'


async def _port(context: BootContext, chardev: str, stack: AsyncExitStack) -> int | str:
    # Port 0 lets the kernel choose; the list of character devices then tells which. A text: why there is none.
    try:
        devices = await context.machine.monitor.human("info chardev", Deadline.after(_ANSWER_S))
    except (MonitorLost, QmpRefused) as error:
        return str(error)
    found = re.search(rf"^{chardev}: filename=(?:disconnected:)?tcp:127\.0\.0\.1:(\d+)", devices, re.MULTILINE)
    if found is None:
        return "QEMU opened no port for it"
    return await stack.enter_async_context(near_port(context.host, int(found[1])))


async def _gdb_stub(context: BootContext, stack: AsyncExitStack) -> str:
    try:
        await context.machine.monitor.human("gdbserver tcp:127.0.0.1:0", Deadline.after(_ANSWER_S))
    except (MonitorLost, QmpRefused) as error:
        return f"  gdb       not available: {error}"
    port = await _port(context, "gdb", stack)
    if isinstance(port, str):
        return f"  gdb       not available: {port}"
    image = f" {context.image}" if context.image is not None and not context.release else " vmlinux"
    hidden = "     (encrypted: its registers read as zero)" if context.observer.encrypted else ""
    return f"  gdb       gdb -ex 'target remote 127.0.0.1:{port}'{image}{hidden}"


async def _dump(context: BootContext) -> str:
    if context.observer.encrypted:
        return "  memory    no dump: the guest is encrypted"
    monitor = context.machine.monitor
    here = context.host.kind is HostKind.LOCAL
    path = str(context.folder.resolve() / "memory.dump")
    try:
        if not here:
            path = f"{await context.host.folder(Deadline.after(_ANSWER_S))}/memory-{context.machine.process.pid}.dump"
        able = await monitor.execute("query-dump-guest-memory-capability", None, Deadline.after(_ANSWER_S))
        size = await monitor.execute("query-memory-size-summary", None, Deadline.after(_ANSWER_S))
        need = int(size["base-memory"])
        if await _free_bytes(context, path) < 2 * need:
            return f"  memory    no dump: it may need {need >> 20} MiB, and there is not twice that left on the disk"
        form = "kdump-zlib" if "kdump-zlib" in able["formats"] else "elf"
        wanted = {"paging": False, "protocol": f"file:{path}", "format": form}
        await monitor.execute("dump-guest-memory", wanted, Deadline.after(_DUMP_S))
    except (MonitorLost, QmpRefused, HostError, HostLost, OSError) as error:
        if here:
            Path(path).unlink(missing_ok=True)
        return f"  memory    no dump: {str(error) or type(error).__name__}"
    tool = "crash vmlinux" if form == "kdump-zlib" else "gdb vmlinux"
    where = "" if here else f"     (on {context.host.name}, and gone after Ctrl-C: copy it before)"
    return f"  memory    {tool} {path}{where}"


async def _free_bytes(context: BootContext, path: str) -> int:
    folder = Path(path).parent
    if context.host.kind is HostKind.LOCAL:
        return shutil.disk_usage(folder).free
    done = await context.host.run(f"df -Pk {shlex.quote(str(folder))}", Deadline.after(_ANSWER_S))
    # POSIX df -P: the fourth column of the second line.
    found = re.search(r"\n(?:\S+\s+){3}(\d+)", done.stdout.decode(errors="replace"))
    if found is None:
        raise HostError(f"df says {done.stdout[:80]!r}")
    return int(found[1]) << 10


@contextmanager
def _until_interrupted(release: asyncio.Event) -> Iterator[None]:
    # While a guest is kept, Ctrl-C lets it go instead of ending the run; its boot is then recorded as every other.
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, release.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


@asynccontextmanager
async def serve_console(console: Console, name: str) -> AsyncIterator[None]:
    """Serve the console on the abstract socket ``name``: any number of people see its end and what comes, and may type.

    :raise HostError: if the socket cannot be had.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = max(0, console.total_bytes - _SHOWN_BYTES)

        async def show() -> None:
            nonlocal shown
            while not console.closed:
                writer.write(console.tail(console.total_bytes - shown))
                shown = console.total_bytes
                await writer.drain()
                await console.grown()

        showing = asyncio.create_task(show())
        try:
            while typed := await reader.read(256):
                await console.send(typed)
        except (ConnectionError, BrokenPipeError):
            pass
        finally:
            showing.cancel()
            writer.close()

    try:
        server = await asyncio.start_unix_server(serve, path=f"\0{name}")
    except OSError as error:
        raise HostError(f"cannot serve the console: {error.strerror}") from error
    async with server:
        yield
