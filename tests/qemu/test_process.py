"""A process that cannot outlive us, however we end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import HostError
from harness.qemu.process import QemuProcess, describe_status, start_process

# Stands for QEMU: says its process id, then lives for ever.
HARNESS = """
import asyncio, sys
from pathlib import Path
from harness.qemu.process import start_process

async def main():
    async with start_process(["/bin/sleep", sys.argv[1]], Path(sys.argv[2])) as process:
        print(process.pid, flush=True)
        await process.wait()

print("begin", flush=True)
asyncio.run(main())
"""


def living(marker: str) -> list[int]:
    """List the processes that have ``marker`` on their command line and run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marker.encode() in words and state != "Z" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def wait_gone(marker: str, limit_s: float = 5.0) -> list[int]:
    end_s = time.monotonic() + limit_s
    while (left := living(marker)) and time.monotonic() < end_s:
        time.sleep(0.01)  # nothing announces the end of a process that is not our child
    return left


def unique(tag: int) -> str:
    # A number of seconds that no other test sleeps: the marker.
    return f"{100_000 + os.getpid() % 50_000}.{tag:05d}"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (-11, "killed by SIGSEGV"),
        (-9, "killed by SIGKILL"),
        (-99, "killed by signal 99"),
    ],
)
def test_an_end_is_put_in_words(status: int, words: str) -> None:
    assert describe_status(status) == words


def test_killing_the_harness_kills_qemu(tmp_path: Path) -> None:
    marker = unique(1)
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, marker, str(tmp_path / "stderr")], stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "begin\n"
        assert int(harness.stdout.readline()) in living(marker)
        harness.kill()
    assert wait_gone(marker) == []


def test_killing_the_harness_at_any_moment_of_the_start_kills_qemu(tmp_path: Path) -> None:
    # The gap to hit is between fork and the moment that setpriv and the shell have asked for death and looked back.
    for number in range(24):
        marker = unique(100 + number)
        with subprocess.Popen(
            [sys.executable, "-c", HARNESS, marker, str(tmp_path / "stderr")], stdout=subprocess.PIPE, text=True
        ) as harness:
            assert harness.stdout is not None
            harness.stdout.readline()
            time.sleep(number * 0.0005)  # what is varied, not a wait
            harness.kill()
        assert wait_gone(marker) == [], f"killed {number * 0.5} ms after the start"


def test_a_parent_that_is_gone_before_the_shell_looks_is_noticed(tmp_path: Path) -> None:
    # The shell's own check, without a race: it is told of a parent that it does not have.
    from harness.qemu import process

    script = process._DIE_WITH_PARENT[-1]
    out = tmp_path / "out"
    done = subprocess.run(["/bin/sh", "-c", script, "1", "/usr/bin/touch", str(out)], check=False)
    assert done.returncode != 0 and not out.exists()
    subprocess.run(["/bin/sh", "-c", script, str(os.getpid()), "/usr/bin/touch", str(out)], check=True)
    assert out.exists()


def test_leaving_kills_and_reaps(tmp_path: Path) -> None:
    marker = unique(2)

    async def scenario() -> QemuProcess:
        async with start_process(["/bin/sleep", marker], tmp_path / "stderr") as process:
            assert process.status is None
        assert process.status == -signal.SIGKILL
        return process

    asyncio.run(scenario())
    assert living(marker) == []


def test_being_cancelled_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    async def scenario(marker: str, yields: int) -> None:
        async def start() -> None:
            async with start_process(["/bin/sleep", marker], tmp_path / "stderr") as process:
                await process.wait()

        task = asyncio.create_task(start())
        for _ in range(yields):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for yields in range(1, 16):
        marker = unique(200 + yields)
        asyncio.run(scenario(marker, yields))
        assert wait_gone(marker) == [], f"cancelled after {yields} turns of the loop"


def test_end_lets_it_end_by_itself_and_kills_what_does_not(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        async with start_process(["/bin/sh", "-c", "exit 3"], tmp_path / "stderr") as process:
            by_itself = await process.end(Deadline.after(10))
        async with start_process(["/bin/sleep", unique(3)], tmp_path / "stderr") as process:
            return by_itself, await process.end(Deadline.after(0.05))

    assert asyncio.run(scenario()) == (3, -signal.SIGKILL)


def test_what_it_says_is_kept_and_descriptors_are_inherited(tmp_path: Path) -> None:
    readable, writable = os.pipe()

    async def scenario() -> None:
        says = f"import os; os.write(2, b'complaint\\n'); os.write(1, b'also\\n'); os.write({writable}, b'through\\n')"
        argv = [sys.executable, "-c", says]
        async with start_process(argv, tmp_path / "stderr", [writable]) as process:
            assert await process.wait() == 0

    asyncio.run(scenario())
    os.close(writable)
    assert os.read(readable, 100) == b"through\n"
    os.close(readable)
    assert (tmp_path / "stderr").read_text() == "complaint\nalso\n"


def test_ctrl_c_on_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with start_process(["/bin/sleep", unique(4)], tmp_path / "stderr") as process:
            return os.getsid(process.pid)

    assert asyncio.run(scenario()) != os.getsid(0)


def test_a_machine_without_setpriv_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    async def scenario() -> None:
        async with start_process(["/bin/true"], tmp_path / "stderr"):
            pass

    with pytest.raises(HostError, match=r"cannot start setpriv.*install util-linux"):
        asyncio.run(scenario())
