"""Freeze a guest that went wrong or fails a check, with every way in as a line to paste, until a person lets it go."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count

from harness.boot.context import BootContext
from harness.boot.load import Load
from harness.boot.run import Stay
from harness.clock import Deadline
from harness.errors import HostError
from harness.qemu.console import Console
from harness.qemu.monitor import MonitorLost, QmpRefused

__all__ = ["keeping", "second_monitor", "serve_console"]

# A frozen guest hears nobody; QEMU answers in milliseconds, or hangs itself.
_ANSWER_S = 3.0
# Measured: 256 MiB in 1.2 s. The largest guests have a thousand times as much.
_DUMP_S = 600.0
_SHOWN_BYTES = 4096
_numbers = count(1)


def second_monitor(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the options of a second QMP monitor, on the abstract socket ``name``-qmp, which has no file to be left."""
    return (
        ("-chardev", f"socket,id=qmp2,path={name}-qmp,abstract=on,server=on,wait=off"),
        ("-mon", "chardev=qmp2,mode=control"),
    )


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

        return Stay(second_monitor(name), hold, if_check_fails=True)

    return stay


async def _keep(context: BootContext, name: str, say: Callable[[str], None], release: asyncio.Event) -> None:
    frozen = await _ask(context, "stop")
    what = f"failed ({context.fails})" if context.fails else "went wrong"
    ways = [f"{context.folder}: the guest {what} and is {'frozen' if frozen else 'NOT frozen: QEMU does not answer'}"]
    if frozen:
        ways += [await _gdb_stub(context), await _dump(context)]
        ways.append(
            f'  QMP       socat READLINE ABSTRACT-CONNECT:{name}-qmp     (first: {{"execute": "qmp_capabilities"}})'
        )
    ways += [
        f"  console   socat -,raw,echo=0,escape=0x1d ABSTRACT-CONNECT:{name}-console     (Ctrl-] leaves)",
        f"  QEMU      process {context.machine.process.pid}; logs in {context.folder}",
        'Ctrl-C ends it; {"execute": "cont"} lets it run on.',
    ]
    ended = asyncio.create_task(context.machine.process.wait())
    with _until_interrupted(release):
        async with serve_console(context.machine.console, f"{name}-console"):
            say("\n".join(filter(None, ways)))
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


async def _gdb_stub(context: BootContext) -> str:
    # Port 0 lets the kernel choose; the list of character devices then tells which.
    try:
        deadline = Deadline.after(_ANSWER_S)
        await context.machine.monitor.human("gdbserver tcp:127.0.0.1:0", deadline)
        devices = await context.machine.monitor.human("info chardev", deadline)
    except (MonitorLost, QmpRefused) as error:
        return f"  gdb       not available: {error}"
    port = re.search(r"^gdb: filename=(?:disconnected:)?tcp:127\.0\.0\.1:(\d+)", devices, re.MULTILINE)
    if port is None:
        return "  gdb       not available: QEMU opened no gdb stub"
    image = f" {context.image}" if context.image is not None and not context.release else " vmlinux"
    hidden = "     (encrypted: its registers read as zero)" if context.observer.encrypted else ""
    return f"  gdb       gdb -ex 'target remote 127.0.0.1:{port[1]}'{image}{hidden}"


async def _dump(context: BootContext) -> str:
    if context.observer.encrypted:
        return "  memory    no dump: the guest is encrypted"
    monitor = context.machine.monitor
    path = context.folder / "memory.dump"
    try:
        able = await monitor.execute("query-dump-guest-memory-capability", None, Deadline.after(_ANSWER_S))
        size = await monitor.execute("query-memory-size-summary", None, Deadline.after(_ANSWER_S))
        need = int(size["base-memory"])
        if shutil.disk_usage(context.folder).free < 2 * need:
            return f"  memory    no dump: it may need {need >> 20} MiB, and there is not twice that left on the disk"
        form = "kdump-zlib" if "kdump-zlib" in able["formats"] else "elf"
        wanted = {"paging": False, "protocol": f"file:{path}", "format": form}
        await monitor.execute("dump-guest-memory", wanted, Deadline.after(_DUMP_S))
    except (MonitorLost, QmpRefused, OSError) as error:
        path.unlink(missing_ok=True)
        return f"  memory    no dump: {error}"
    tool = "crash vmlinux" if form == "kdump-zlib" else "gdb vmlinux"
    return f"  memory    {tool} {path}"


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
