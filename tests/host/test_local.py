"""Scripts on this machine: their streams, their ends, and what they leave behind."""

import asyncio
import time
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.host.local import LocalHost
from harness.host.protocol import Finished, HostKind


def soon() -> Deadline:
    return Deadline.after(20)


def stays(marker: str) -> list[str]:
    """Return what still runs with this word some seconds later: a killed process may take a moment to be gone."""
    end_s = time.monotonic() + 20
    while (left := running(marker)) and time.monotonic() < end_s:
        time.sleep(0.01)
    return left


def running(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return [words.decode() for words in found if marker.encode() in words]


def test_a_script_is_run_to_its_end() -> None:
    async def scenario() -> list[Finished]:
        host = LocalHost()
        return [
            await host.run("cat; echo bad >&2; exit 3", soon(), b"in\0put"),
            await host.run("cat", soon()),
            await host.run("kill -9 $$", soon()),
            await host.run("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", soon()),
        ]

    first, empty, killed, large = asyncio.run(scenario())
    assert first == Finished(3, b"in\0put", b"bad\n")
    assert empty == Finished(0, b"", b"")
    assert killed.status is None
    assert len(large.stdout) == len(large.stderr) == 3_000_000


def test_the_deadline_ends_what_a_script_started() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(LocalHost().run("sleep 65431 & sleep 65431", Deadline.after(0.2)))
    assert stays("65431") == []


def test_a_live_script_is_talked_to_and_learns_that_we_leave(tmp_path: Path) -> None:
    async def scenario() -> tuple[bytes, int | None]:
        host, said = LocalHost(), b""
        async with host.open(f"cat; echo done >{tmp_path}/left") as process:
            await process.send(b"ping")
            while said != b"ping":
                piece = await process.receive()
                assert piece is not None
                said += piece[0]
        async with host.open("echo one; exit 5") as process:
            while await process.receive() is not None:
                pass
            assert await process.receive() is None
            return said, await process.status()

    assert asyncio.run(scenario()) == (b"ping", 5)
    assert (tmp_path / "left").read_text() == "done\n"


def test_a_script_that_does_not_listen_is_killed_and_its_output_dropped() -> None:
    async def scenario() -> None:
        async with LocalHost().open("yes 76543 & yes 76543 >&2"):
            pass

    asyncio.run(scenario())
    assert stays("76543") == []


def test_this_machine_knows_itself() -> None:
    host = LocalHost()
    assert host.kind is HostKind.LOCAL
    assert host.facts.cpus >= 1
    assert host.facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_port_is_dialled() -> None:
    async def scenario() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, LocalHost().dial(server.sockets[0].getsockname()[1]) as way:
            with await way.connect(soon()) as connection:
                return await asyncio.get_running_loop().sock_recv(connection, 100)

    assert asyncio.run(scenario()) == b"hello"
