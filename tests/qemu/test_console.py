"""Follow a console: nothing missed, nothing unbounded, nothing written that did not arrive."""

import asyncio
import io
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.qemu.console import Console

READY = re.compile(rb"^ready\b", re.MULTILINE)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Guest:
    """Be QEMU's end of a console."""

    console: Console
    socket: socket.socket
    clock: Clock
    seen: list[bytes] = field(default_factory=list)

    async def says(self, data: bytes) -> None:
        """Write, and return once all of it has been taken in."""
        wanted = self.console.total_bytes + len(data)
        await asyncio.get_running_loop().sock_sendall(self.socket, data)
        while self.console.total_bytes < wanted:
            await self.console.grown()


@asynccontextmanager
async def followed(log: io.RawIOBase | None = None) -> AsyncIterator[Guest]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        clock = Clock()
        guest = Guest(Console(ours, clock, log), theirs, clock)
        following = asyncio.create_task(guest.console.follow(guest.seen.append))
        try:
            yield guest
        finally:
            theirs.close()
            await asyncio.wait_for(following, 10)


def soon() -> Deadline:
    return Deadline.after(10)


def at_once() -> Deadline:
    return Deadline.after(0.05)


class Log(io.RawIOBase):
    """Be a log on a disk with ``room`` bytes; writes at most ``most`` at a time."""

    def __init__(self, room: int, most: int = 1 << 30) -> None:
        self.room = room
        self.most = most
        self.data = b""

    def write(self, data: object) -> int:
        taken = bytes(memoryview(data))[: min(self.room - len(self.data), self.most)]  # type: ignore[arg-type]
        if not taken:
            raise OSError(28, "No space left on device")
        self.data += taken
        return len(taken)


def test_text_from_before_the_wait_counts() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.says(b"one\nready\n")
            assert await guest.console.wait_for(READY, at_once()) == b"ready"

    asyncio.run(scenario())


def test_a_match_may_be_split_across_reads_at_any_place() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            waiting = asyncio.create_task(guest.console.wait_for(READY, soon()))
            for byte in b"one\nrea":
                await guest.says(bytes([byte]))
            assert not waiting.done()
            await guest.says(b"dy\n")
            assert await waiting == b"ready"

    asyncio.run(scenario())


def test_each_wait_begins_behind_the_match_of_the_last() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.says(b"ready\nlogin: ready\nready\n")
            assert await guest.console.wait_for(READY, at_once()) == b"ready"
            assert await guest.console.wait_for(READY, at_once()) == b"ready"
            with pytest.raises(TimeoutError):
                await guest.console.wait_for(READY, at_once())

    asyncio.run(scenario())


def test_anywhere_looks_from_the_beginning_and_moves_nothing() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.says(b"ready\nlast\n")
            await guest.console.wait_for(re.compile(b"last"), at_once())
            assert await guest.console.wait_for(READY, at_once(), anywhere=True) == b"ready"
            assert await guest.console.wait_for(READY, at_once(), anywhere=True) == b"ready"
            with pytest.raises(TimeoutError):
                await guest.console.wait_for(READY, at_once())

    asyncio.run(scenario())


def test_a_wait_ends_at_its_deadline_though_the_console_keeps_growing() -> None:
    async def scenario() -> None:
        async with followed() as guest:

            async def chatter() -> None:
                while True:
                    await guest.says(b"tick\n")
                    await asyncio.sleep(0)

            talking = asyncio.create_task(chatter())
            with pytest.raises(TimeoutError):
                await guest.console.wait_for(READY, Deadline.after(0.2))
            talking.cancel()

    asyncio.run(scenario())


def test_a_console_that_closes_ends_every_wait() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            waits = [asyncio.create_task(guest.console.wait_for(READY, soon())) for _ in range(3)]
            growing = asyncio.create_task(guest.console.grown())
            await guest.says(b"not yet\n")
            guest.socket.close()
            for waiting in waits:
                with pytest.raises(EOFError, match="QEMU closed the console"):
                    await waiting
            await growing
            assert guest.console.closed

    asyncio.run(scenario())


def test_what_came_before_the_close_is_still_found() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.says(b"ready\n")
            guest.socket.close()
            while not guest.console.closed:
                await guest.console.grown()
            assert await guest.console.wait_for(READY, at_once()) == b"ready"

    asyncio.run(scenario())


def test_megabytes_without_a_newline_are_bounded_and_cheap() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            waiting = asyncio.create_task(guest.console.wait_for(re.compile(b"needle"), Deadline.after(60)))
            begin_s = time.process_time()
            for _ in range(64):
                await guest.says(b"x" * (1 << 17))
            spent_s = time.process_time() - begin_s
            assert guest.console.total_bytes == 8 << 20
            assert len(guest.console.tail(1 << 30)) <= 2 << 20
            # Each read searches only what is new. From the beginning each time, 8 MiB in reads of 64 KiB would be
            # half a gigabyte to search: seconds.
            assert spent_s < 3
            await guest.says(b"nee")
            await guest.says(b"dle")
            assert await waiting == b"needle"

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_flood_lets_others_have_a_turn_after_each_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.qemu.console._READ_BYTES", 100)

    async def scenario() -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            theirs.sendall(b"y" * 10_000)  # all of it is there before the first read
            console = Console(ours, Clock())
            following = asyncio.create_task(console.follow())
            turns = 0
            while console.total_bytes < 10_000:
                turns += 1
                await asyncio.sleep(0)
            theirs.close()
            await following
        return turns

    assert asyncio.run(scenario()) >= 100


def test_a_flood_of_200_mb_is_followed_and_logged_in_bounded_memory(tmp_path: Path) -> None:
    # In a process of its own, so that what it takes is not mixed with what the tests have taken before.
    script = f"""
import asyncio, os, re, resource, socket
from pathlib import Path
from harness.clock import Deadline, monotonic_s
from harness.qemu.console import Console

SIZE = 200 << 20

async def main():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    pid = os.fork()
    if pid == 0:
        ours.close()
        block = (b"y" * 79 + b"\\n") * 4096
        for _ in range(SIZE // len(block)):
            theirs.sendall(block)
        theirs.sendall(b"x" * (SIZE % len(block)))
        os._exit(0)
    theirs.close()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open({str(tmp_path / "log")!r}, "ab", buffering=0) as log:
        console = Console(ours, monotonic_s, log)
        waiting = asyncio.create_task(console.wait_for(re.compile(rb"^never", re.MULTILINE), Deadline.after(120)))
        await console.follow()
        await asyncio.gather(waiting, return_exceptions=True)
    print(console.total_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, len(console.chunks))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    total, grown_kib, chunks = map(int, done.stdout.split())
    assert total == (tmp_path / "log").stat().st_size == 200 << 20
    assert grown_kib < 64 << 10
    assert chunks < 200 * 120  # one for each 5 ms at most


def test_a_match_that_scrolled_out_of_the_window_is_gone_but_later_ones_count() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.says(b"ready\n" + b"x" * (3 << 20))
            with pytest.raises(TimeoutError):
                await guest.console.wait_for(READY, at_once())
            await guest.says(b"\nready\n")
            assert await guest.console.wait_for(READY, at_once()) == b"ready"

    asyncio.run(scenario())


def test_chunks_say_when_each_byte_arrived_and_stay_few() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            for now_s, data in ((1.0, b"a" * 10), (1.001, b"b" * 10), (1.0049, b"c"), (1.2, b"d"), (9.0, b"e")):
                guest.clock.now = now_s
                await guest.says(data)
            assert [(chunk.end_offset, chunk.at_s) for chunk in guest.console.chunks] == [
                (21, 1.0),
                (22, 1.2),
                (23, 9.0),
            ]

    asyncio.run(scenario())


def test_everything_that_arrives_is_in_the_log_and_seen() -> None:
    async def scenario() -> None:
        log = Log(room=1 << 30, most=7)  # a log that takes little at a time
        async with followed(log) as guest:
            await guest.says(b"first\n")
            await guest.says(b"x" * 100_000)
        assert log.data == b"first\n" + b"x" * 100_000 == b"".join(guest.seen)

    asyncio.run(scenario())


def test_a_full_disk_cuts_the_log_and_nothing_else() -> None:
    async def scenario() -> None:
        log = Log(room=10)
        async with followed(log) as guest:
            await guest.says(b"12345678")
            await guest.says(b"abcdefgh")
            log.room = 100  # space is freed: a log with a hole would be worse than a cut one
            await guest.says(b"ready\n")
            assert await guest.console.wait_for(re.compile(b"ready"), at_once()) == b"ready"
            assert guest.console.total_bytes == 22
        assert log.data == b"12345678ab"

    asyncio.run(scenario())


@pytest.mark.parametrize(("size", "text"), [(0, b""), (3, b"fgh"), (100, b"abcdefgh")])
def test_the_tail_is_the_end(size: int, text: bytes) -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.says(b"abcdefgh")
            assert guest.console.tail(size) == text

    asyncio.run(scenario())


def test_what_is_typed_reaches_the_guest() -> None:
    async def scenario() -> None:
        async with followed() as guest:
            await guest.console.send(b"ls\n")
            assert await asyncio.get_running_loop().sock_recv(guest.socket, 100) == b"ls\n"

    asyncio.run(scenario())


def test_a_qemu_that_is_killed_closes_the_console_like_one_that_ends() -> None:
    async def scenario(kill: Callable[[Guest], None]) -> None:
        async with followed() as guest:
            await guest.says(b"x")
            await guest.console.send(b"unread input makes the close a reset")
            kill(guest)
            while not guest.console.closed:
                await guest.console.grown()

    asyncio.run(scenario(lambda guest: guest.socket.close()))
