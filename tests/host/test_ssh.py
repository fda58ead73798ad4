"""A real SSH server on this machine as a host."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from ssh_server import Server

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.protocol import Finished, HostKind, HostLost

from .conftest import Open


def soon() -> Deadline:
    return Deadline.after(30)


def left_alone(server: Server) -> bool:
    """Wait until nothing of ours is left there, neither a process nor a file."""
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        ours = [words for words in server.processes().values() if "dropbear" not in words.split()[0]]
        if not ours and not list((server.folder / "tmp").iterdir()):
            return True
        time.sleep(0.02)
    return False


def test_scripts_files_and_live_input(server: Server, open_host: Open, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_host() as host:
            assert (host.name, host.kind) == ("loopback", HostKind.SSH)
            assert host.facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            assert await host.run("cat; echo bad >&2; exit 3", soon(), b"in\0put\n.\n") == Finished(
                3, b"in\0put\n.\n", b"bad\n"
            )
            async with host.open("cat; exit 4") as process:
                await process.send(b"a\0\\n.\n")
                assert await process.receive() == (b"a\0\\n.\n", b"")
            content = os.urandom(1_000_000)
            (tmp_path / "file").write_bytes(content)
            first = await host.put(content, soon())
            assert await host.put(tmp_path / "file", soon()) == first  # by content: copied once
            assert Path(first).read_bytes() == content
            assert Path(first).parent == Path(await host.folder(soon()))
            assert Path(first).parent.stat().st_mode & 0o777 == 0o700

    asyncio.run(scenario())
    assert left_alone(server)


def test_what_does_not_end_is_ended(server: Server, open_host: Open) -> None:
    async def scenario() -> list[str]:
        async with open_host() as host:
            with pytest.raises(TimeoutError):
                await host.run("sleep 65432 & sleep 65432", Deadline.after(0.3))
            async with host.open("trap '' HUP TERM; sleep 65432"):
                pass
            end_s = time.monotonic() + 20
            while (left := [words for words in server.processes().values() if words == "sleep 65432"]) != []:
                if time.monotonic() > end_s:
                    break
                await asyncio.sleep(0.01)  # a killed process may take a moment to be gone
            return left

    assert asyncio.run(scenario()) == []


def test_more_scripts_at_a_time_than_a_connection_carries(open_host: Open) -> None:
    async def scenario() -> list[bytes]:
        async with open_host() as host:

            async def one(number: int) -> bytes:
                async with host.open("cat") as process:
                    await process.send(b"%d" % number)
                    piece = await process.receive()
                    return b"" if piece is None else piece[0]

            return list(await asyncio.gather(*(one(number) for number in range(20))))

    assert asyncio.run(scenario()) == [b"%d" % number for number in range(20)]


def test_a_connection_that_breaks_is_a_lost_host_and_leaves_nothing(server: Server, open_host: Open) -> None:
    async def scenario() -> str:
        async with open_host() as host:
            async with host.open("# the guest\nsleep 65433") as process:
                server.kill()
                with pytest.raises(HostLost, match="host loopback was lost while running the guest") as raised:
                    await process.receive()
            gone = await host.explain(raised.value)
            server.start()
            back = await host.explain(raised.value)
            assert "the host itself runs on, only the connection broke" in back
            assert (await host.run("echo here", soon())).stdout == b"here\n"  # the next script connects anew
            return gone

    assert "it cannot be reached again" in asyncio.run(scenario())
    assert left_alone(server)


def test_a_host_that_was_there_and_is_not_is_lost_and_no_mistake_of_anybody(server: Server, open_host: Open) -> None:
    async def scenario() -> None:
        async with open_host() as host:
            server.kill()
            for _ in range(2):
                with pytest.raises(HostLost):
                    await host.run("echo", soon())

    asyncio.run(scenario())


def test_a_rebooted_host_is_told_from_a_broken_connection(server: Server, open_host: Open) -> None:
    async def scenario() -> str:
        async with open_host() as host:
            # What a reboot changes is the kernel's boot id; the one that was kept is made to differ.
            object.__setattr__(host.facts, "boot_id", "another")
            server.kill()
            server.start()
            return await host.explain(HostLost("loopback", "booting", "gone"))

    assert asyncio.run(scenario()).endswith("the host was rebooted under us")


def test_a_watch_that_is_killed_there_is_noticed(server: Server, open_host: Open) -> None:
    async def scenario() -> Finished:
        async with open_host() as host:
            for pid, words in server.processes().items():
                if "mktemp" in words and words.startswith("sh -c echo $$"):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.2)
            return await host.run("echo again", soon())

    assert asyncio.run(scenario()).stdout == b"again\n"


def test_a_shell_that_cannot_make_a_folder_is_told(server: Server, open_host: Open) -> None:
    (server.folder / "tmp").rename(server.folder / "tmp-elsewhere")

    async def scenario() -> None:
        async with open_host():
            raise AssertionError("it is open")

    with pytest.raises(HostError, match="loopback"):
        asyncio.run(scenario())
    (server.folder / "tmp-elsewhere").rename(server.folder / "tmp")
