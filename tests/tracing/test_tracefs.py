"""A trace of a real kernel where this machine has one, and of a folder that behaves like it everywhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.evidence.ftrace import Decoder
from harness.evidence.trace import read_trace
from harness.host.local import LocalHost
from harness.tracing.survey import HostSurvey, survey_host
from harness.tracing.tracefs import TraceEnd, TraceLost, record_trace
from tracing.fake_tracefs import STATS, make_tracefs, real_tracefs

FORKS = 50
NEWTASK = "task:task_newtask"


def deadline() -> Deadline:
    return Deadline.after(60)


async def surveyed(host: LocalHost, system: str = "kvm") -> HostSurvey:
    return await survey_host(host, deadline(), (system,))


def instances(tracefs: Path) -> list[str]:
    return sorted(path.name for path in (tracefs / "instances").glob("svsm-harness-*"))


@contextmanager
def forker() -> Iterator[subprocess.Popen[str]]:
    # Forks FORKS times for every line that it is given, then answers.
    loop = f"while read line; do n=0; while [ $n -lt {FORKS} ]; do (:); n=$((n+1)); done; echo done; done"
    with subprocess.Popen(["sh", "-c", loop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        yield shell
        assert shell.stdin is not None
        shell.stdin.close()


def fork(shell: subprocess.Popen[str]) -> None:
    assert shell.stdin is not None and shell.stdout is not None
    shell.stdin.write("go\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "done\n"


async def traced(buffer_bytes: int, bursts: int) -> tuple[bytes, TraceEnd, int]:
    host, trace = LocalHost(), bytearray()
    survey = await surveyed(host, "task")
    with forker() as shell, forker() as stranger:
        async with record_trace(
            host, survey, [NEWTASK], [NEWTASK], [shell.pid], buffer_bytes, trace.extend, deadline()
        ) as live:
            await live.mark("step=burst begin", deadline())
            for _ in range(bursts):
                await asyncio.to_thread(fork, shell)
            await live.mark("step=burst end", deadline())
            await asyncio.to_thread(fork, stranger)
            await asyncio.to_thread(fork, shell)
            end = await live.stop(deadline())
            assert live.received_bytes == len(trace)
        return bytes(trace), end, shell.pid


def test_a_real_kernel_counts_exactly_in_the_step_and_no_stranger() -> None:
    tracefs = real_tracefs()
    before = instances(tracefs)
    text, end, pid = asyncio.run(traced(4 << 20, 2))
    decoder = Decoder(["task_newtask"])
    records = list(decoder.records([text]))
    assert decoder.integrity().complete, decoder.integrity().reasons
    assert [record.pid for record in records] == [pid] * FORKS * 3
    facts = read_trace([text], vcpus=1, keep={"task_newtask"})
    begin, last = facts.windows[0].begin, facts.windows[0].end
    assert last is not None and facts.kept is not None
    assert sum(begin < (record.at, record.line) < last for record in facts.kept) == FORKS * 2
    assert sum(buffer.lost for buffer in end.buffers) == 0
    assert {buffer.cpu for buffer in end.buffers} >= set(range(os.cpu_count() or 1))
    for count in end.counts:  # where the kernel counts by triggers
        assert (count.event, dict(count.by_thread)) == ("task_newtask", {pid: FORKS * 3})
    assert instances(tracefs) == before


def test_a_buffer_that_is_too_small_says_so() -> None:
    tracefs = real_tracefs()
    before = instances(tracefs)

    # The reader is stopped for a while, as on a host that is too busy to read.
    async def starve() -> TraceEnd:
        host = LocalHost()
        survey = await surveyed(host, "task")
        with forker() as shell:
            async with record_trace(
                host, survey, [NEWTASK], [NEWTASK], [shell.pid], 8 << 10, lambda _: None, deadline()
            ) as live:
                (instance,) = [name for name in instances(tracefs) if name not in before]
                reader = _reader_of(tracefs / "instances" / instance)
                os.kill(reader, signal.SIGSTOP)
                try:
                    for _ in range(20):
                        await asyncio.to_thread(fork, shell)
                finally:
                    os.kill(reader, signal.SIGCONT)
                return await live.stop(deadline())

    end = asyncio.run(starve())
    assert sum(buffer.lost for buffer in end.buffers) > 0


def _reader_of(instance: Path) -> int:
    # Of the children of the shell that holds the instance, which is named after it, the one that works there.
    holder = instance.name.split("-")[2]
    children = Path("/proc", holder, "task", holder, "children").read_text().split()
    (reader,) = [child for child in children if Path("/proc", child, "cwd").readlink() == instance]
    return int(reader)


HARNESS = """
import asyncio, sys
from harness.clock import Deadline
from harness.host.local import LocalHost
from harness.tracing.survey import survey_host
from harness.tracing.tracefs import record_trace

async def main():
    host = LocalHost()
    survey = await survey_host(host, Deadline.after(60), ("task",))
    async with record_trace(host, survey, ["task:task_newtask"], [], [], 65536, lambda _: None, Deadline.after(60)):
        print("tracing", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_a_killed_harness_leaves_no_instance() -> None:
    tracefs = real_tracefs()
    before = instances(tracefs)
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(HARNESS)], stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"tracing\n"
        made = [name for name in instances(tracefs) if name not in before]
        assert len(made) == 1
        holder = Path("/proc", made[0].split("-")[2])
        harness.kill()
    end = deadline()
    while holder.exists() and not end.expired:  # an event would need pidfd_open of a stranger
        os.sched_yield()
    assert instances(tracefs) == before


def test_a_killed_shell_leaves_no_instance_either() -> None:
    if shutil.which("setsid") is None:
        pytest.skip("the guard needs setsid to outlive the shell")
    tracefs = real_tracefs()
    before = instances(tracefs)

    async def killed() -> None:
        host = LocalHost()
        survey = await surveyed(host, "task")
        async with record_trace(
            host, survey, [NEWTASK], [NEWTASK], [os.getpid()], 64 << 10, lambda _: None, deadline()
        ):
            (made,) = [name for name in instances(tracefs) if name not in before]
            os.killpg(int(made.split("-")[2]), signal.SIGKILL)

    asyncio.run(killed())
    end = deadline()
    while instances(tracefs) != before and not end.expired:
        os.sched_yield()
    assert instances(tracefs) == before


def test_what_a_killed_shell_left_is_removed_by_the_next() -> None:
    tracefs = real_tracefs()
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    old = tracefs / "instances" / f"svsm-harness-{gone}-0"
    old.mkdir()
    (old / "events" / "task" / "task_newtask" / "enable").write_text("1")
    try:
        asyncio.run(traced(64 << 10, 1))
        assert not old.exists()
    finally:
        if old.exists():
            old.rmdir()


class TestFolder:
    """What the scripts write, in a folder in place of tracefs."""

    def record(self, root: Path, threads: list[int] | None = None) -> tuple[bytes, TraceEnd]:
        (root / "trace").write_bytes(
            b" x-1 [000] ..... 1.000000: kvm_exit: vcpu 0\n"
            b" sh-1 [000] ..... 2.000000: tracing_mark_write: step=trace end\n"
        )

        async def run() -> tuple[bytes, TraceEnd]:
            host, trace = LocalHost(), bytearray()
            survey = await surveyed(host)
            async with record_trace(
                host, survey, ["kvm:kvm_exit"], ["kvm:kvm_exit"], threads or [], 3 << 20, trace.extend, deadline()
            ) as live:
                await live.mark("step=x begin", deadline())
                return bytes(trace), await live.stop(deadline())

        return asyncio.run(run())

    def test_what_is_set_before_it_begins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tracefs = make_tracefs(tmp_path, monkeypatch)
        _, end = self.record(tmp_path, [os.getpid()])
        assert [buffer.read for buffer in end.buffers] == [2]
        instance = tmp_path / "removed"
        assert (instance / "trace_clock").read_text() == "mono\n"
        assert (instance / "buffer_size_kb").read_text() == "3072\n"
        assert str(os.getpid()) in (instance / "set_event_pid").read_text().split()
        assert (instance / "trace_marker").read_text() == "step=trace end\n"
        assert (instance / "events" / "kvm" / "kvm_exit" / "enable").read_text() == "1\n"
        assert (instance / "tracing_on").read_text() == "0\n"
        assert instances(tracefs) == []

    def test_losses_are_in_the_figures(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make_tracefs(tmp_path, monkeypatch)
        (tmp_path / "template" / "per_cpu" / "cpu0" / "stats").write_text(STATS.format(lost=7))
        _, end = self.record(tmp_path)
        assert [buffer.lost for buffer in end.buffers] == [7]

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda root: (root / "template" / "trace_clock").mkdir(), "trace clock mono"),
            (lambda root: (root / "template" / "buffer_size_kb").mkdir(), "trace.buffer"),
            (lambda root: (root / "tools" / "mkdir").write_text("#!/bin/sh\necho EBUSY >&2\nexit 1\n"), "EBUSY"),
        ],
    )
    def test_what_is_refused_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: object, words: str
    ) -> None:
        tracefs = make_tracefs(tmp_path, monkeypatch)
        assert callable(spoil)
        spoil(tmp_path)
        with pytest.raises(TraceLost, match=words):
            self.record(tmp_path)
        assert instances(tracefs) == []

    def test_an_event_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make_tracefs(tmp_path, monkeypatch)
        (tmp_path / "template" / "events" / "kvm" / "kvm_exit" / "enable").unlink()
        (tmp_path / "template" / "events" / "kvm" / "kvm_exit" / "enable").mkdir()
        with pytest.raises(TraceLost, match=r"kvm:kvm_exit could not be switched on"):
            self.record(tmp_path)

    def test_no_tracefs(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SVSM_TRACEFS", "/nowhere")
        with pytest.raises(TraceLost, match="mount -t tracefs"):
            self.record(tmp_path)
