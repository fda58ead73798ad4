"""What is written of a host, and what is a loss: with a folder in place of tracefs and a QEMU that only answers."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from tracing.fake_tracefs import EVENT_FORMAT, STATS, make_tracefs

from harness.boot.host_watch import HostWatch, wanted_events, watch_host
from harness.boot.hurt_host import note_hurt
from harness.checks.irq_routing import IrqRoutingCheck
from harness.checks.kvm_events import KvmEventsCheck
from harness.clock import Deadline
from harness.evidence.host import HostEvidence
from harness.evidence.irq import IrqSource
from harness.evidence.records import Loss
from harness.host.local import LocalHost
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import QmpRefused
from harness.results.load import host_json, kvm_samples_json
from harness.scenario.expectation import Expectation
from harness.scenario.model import Guest, Machine, Payload
from harness.scenario.setting import Setting
from harness.scenario.trace import Trace
from harness.tracing.survey import Surveys

EXITS = KvmEventsCheck(event="kvm_exit", count=1)
LINE = (
    b" CPU 0/KVM-1  [000] ..... 1.000000: kvm_exit: vcpu 0\n"
    b" sh-1  [000] ..... 2.000000: tracing_mark_write: step=trace end\n"
)


@dataclass
class FakeMonitor:
    stats: bool = True
    asked: list[str] = field(default_factory=list)

    async def execute(self, command: str, arguments: object, deadline: Deadline) -> Any:
        self.asked.append(command)
        if command == "query-cpus-fast":
            return [{"qom-path": "/cpu0", "cpu-index": 0, "thread-id": os.getpid()}]
        if not self.stats:
            raise QmpRefused(command, "CommandNotFound", "The command query-stats has not been found")
        return [{"provider": "kvm", "qom-path": "/cpu0", "stats": [{"name": "exits", "value": len(self.asked)}]}]


@dataclass
class FakeMachine:
    monitor: FakeMonitor
    started_s: float = 100.0

    def now_s(self) -> float:
        return 1.5

    async def vcpu_threads(self, deadline: Deadline) -> tuple[int, ...]:
        return (os.getpid(),)


def setting(*expect: Expectation, trace: Trace | None = None, payload: Payload | None = None) -> Setting:
    guest = Guest() if payload is None else None
    return Setting(Machine(accel="kvm"), guest, payload, (), expect, 60.0, None, trace=trace)


@dataclass
class Watched:
    folder: Path
    losses: list[Loss]
    watch: HostWatch

    @property
    def host(self) -> HostEvidence:
        return host_json.validate_json((self.folder / "host.json").read_bytes())

    def lost(self, what: str) -> str:
        return "; ".join(loss.why for loss in self.losses if loss.what == what)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watched]:
    root = tmp_path / "host"
    root.mkdir()
    make_tracefs(root, monkeypatch)
    (root / "trace").write_bytes(LINE)
    (root / "log").write_text("[ 1.0] a\n")
    (root / "tools" / "dmesg").write_text(f"#!/bin/sh\ncat {root / 'log'}\n")
    (root / "tools" / "dmesg").chmod(0o755)

    def watched(
        chosen: Setting,
        meanwhile: Callable[[Path], object] = lambda _: None,
        spoil: Callable[[Path], object] = lambda _: None,
        stats: bool = True,
    ) -> Watched:
        folder, cache = tmp_path / "boot", tmp_path / "cache"
        for path in (folder, cache):
            path.mkdir(exist_ok=True)
        spoil(root)
        losses: list[Loss] = []

        async def go() -> HostWatch:
            machine = cast(VirtualMachine, FakeMachine(FakeMonitor(stats)))
            deadline = Deadline.after(60)
            async with watch_host(
                LocalHost(), machine, chosen, folder, cache, losses, 7.5, Surveys(), deadline
            ) as watch:
                await watch.mark("work", "begin", deadline)
                await watch.sample(["before work"], deadline)
                meanwhile(root)
                await watch.end("run/1")
                return watch

        return Watched(folder, losses, asyncio.run(go()))

    return watched


def log_more(root: Path) -> None:
    (root / "log").write_text("[ 1.0] a\n[ 2.0] kvm_amd: b\n")


def test_everything_is_written_and_nothing_lost(run: Callable[..., Watched]) -> None:
    done = run(setting(EXITS), log_more)
    assert done.losses == []
    host, tracing = done.host, done.host.tracing
    assert tracing is not None
    assert (tracing.events, tracing.missing) == (("kvm:kvm_exit",), ())
    assert tracing.threads == ((os.getpid(), 0),)
    assert (tracing.buffer_bytes, tracing.received_bytes, tracing.origin_s) == (64 << 20, len(LINE), 107.5)
    assert [buffer.lost for buffer in tracing.buffers] == [0]
    assert host.log is not None and host.log.lines == ("[ 2.0] kvm_amd: b",)
    assert (done.folder / "host.log").read_text() == "[ 2.0] kvm_amd: b\n"
    assert (done.folder / "trace.log").read_bytes() == LINE
    assert "name: kvm_exit" in (done.folder / "trace.formats").read_text()
    samples = kvm_samples_json.validate_json((done.folder / "kvm_stats.json").read_bytes())
    assert [sample.label for sample in samples] == ["start", "before work"]
    assert samples[1].vcpus[0]["exits"] > samples[0].vcpus[0]["exits"]
    assert host.flavour is None and "undecided" in done.watch.provenance["kvm flavour"]


def test_without_a_need_nothing_is_traced_but_the_host_is_known(run: Callable[..., Watched]) -> None:
    done = run(setting())
    assert done.losses == [] and done.host.tracing is None
    assert done.host.release and done.host.boot_id
    assert not (done.folder / "trace.log").exists()


def test_a_payload_that_writes_a_trace_itself_is_left_alone(run: Callable[..., Watched]) -> None:
    done = run(setting(EXITS, payload=Payload(image="vmpl_model", trace="roy")))
    assert done.host.tracing is None and not (done.folder / "trace.log").exists()


def test_an_event_that_the_kernel_lacks_is_named_and_the_others_are_traced(run: Callable[..., Watched]) -> None:
    done = run(setting(EXITS, trace=Trace(events=("kvm_rmp_fault",), buffer=1 << 20)))
    tracing = done.host.tracing
    assert tracing is not None and done.losses == []
    assert (tracing.events, tracing.missing) == (("kvm:kvm_exit",), ("kvm:kvm_rmp_fault",))
    assert tracing.buffer_bytes == 1 << 20


def lose(root: Path) -> None:
    (root / "template" / "per_cpu" / "cpu0" / "stats").write_text(STATS.format(lost=90_000))


@pytest.mark.parametrize(
    ("spoil", "what", "words"),
    [
        (
            lose,
            "trace",
            "90000 events were lost on host local, whose trace buffer of 64M a CPU was too small; trace.buffer: 3M",
        ),
        (lambda root: (root / "template" / "per_cpu" / "cpu0" / "stats").write_text(""), "trace", "0 of its 1 buffers"),
        (lambda root: (root / "tracing" / "trace_clock").unlink(), "trace", "mount -t tracefs"),
        (lambda root: (root / "template" / "buffer_size_kb").mkdir(), "trace", "smaller trace.buffer"),
        (lambda root: (root / "tools" / "dmesg").write_text("#!/bin/sh\nexit 1\n"), "host_log", "dmesg_restrict=0"),
    ],
)
def test_what_cannot_be_had_is_a_loss(
    run: Callable[..., Watched], spoil: Callable[[Path], object], what: str, words: str
) -> None:
    done = run(setting(EXITS), spoil=spoil)
    assert words in done.lost(what), done.losses
    assert {loss.what for loss in done.losses} == {what}
    assert (done.folder / "host.json").exists()


def test_the_kernel_counts_only_what_a_check_needs_counted(run: Callable[..., Watched], tmp_path: Path) -> None:
    def can_count(root: Path) -> None:
        for base in (root / "template", root / "tracing"):
            there = base / "events" / "kvm"
            shutil.copytree(there / "kvm_exit", there / "kvm_eoi")
            (there / "kvm_eoi" / "format").write_text(EVENT_FORMAT.format(name="kvm_eoi"))
            for event in ("kvm_exit", "kvm_eoi"):
                (there / event / "hist").write_text("")

    done = run(setting(EXITS, trace=Trace(events=("kvm_eoi",))), spoil=can_count)
    assert done.losses == [] and done.host.tracing is not None
    assert done.host.tracing.events == ("kvm:kvm_eoi", "kvm:kvm_exit")
    switched_on = tmp_path / "host" / "removed" / "events" / "kvm"
    assert (switched_on / "kvm_exit" / "trigger").read_text() == "hist:keys=common_pid\n"
    assert not (switched_on / "kvm_eoi" / "trigger").exists()


def test_many_cpus_have_8m_each(run: Callable[..., Watched]) -> None:
    def more_cpus(root: Path) -> None:
        for cpu in range(1, 16):
            for folder in (root / "template", root / "tracing"):
                (folder / "per_cpu" / f"cpu{cpu}").mkdir()
            (root / "template" / "per_cpu" / f"cpu{cpu}" / "stats").write_text(STATS.format(lost=0))

    done = run(setting(EXITS), spoil=more_cpus)
    assert done.losses == [] and done.host.tracing is not None
    assert done.host.tracing.buffer_bytes == 8 << 20


def test_a_log_that_went_round_is_a_loss(run: Callable[..., Watched]) -> None:
    done = run(setting(), lambda root: (root / "log").write_text("[ 9.0] z\n"))
    assert "gone round" in done.lost("host_log") and done.host.log is None


def test_an_old_qemu_has_no_statistics_and_says_so_once(run: Callable[..., Watched]) -> None:
    done = run(setting(), stats=False)
    assert [loss.what for loss in done.losses] == ["kvm_stats"] and "QEMU 7.1" in done.lost("kvm_stats")


def test_a_host_that_is_hurt_is_remembered_by_the_next_boot(run: Callable[..., Watched]) -> None:
    oops = "[ 1.0] a\n[ 2.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
    first = run(setting(), lambda root: (root / "log").write_text(oops))
    assert first.losses == []  # its own verdict is a FAIL, from the log
    second = run(setting())
    assert "run/1" in second.lost("host") and "NULL pointer" in second.lost("host")


def test_a_hurt_of_another_life_of_the_host_is_forgotten(run: Callable[..., Watched], tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    note_hurt(tmp_path / "cache", "local", "another", "oops", "run/0")
    assert run(setting()).losses == []


def test_what_the_checks_ask_for() -> None:
    routing = IrqRoutingCheck(source=IrqSource.MSI, at_least=1)
    assert wanted_events(setting()) == ()
    assert wanted_events(setting(EXITS, trace=Trace(events=("sched:sched_switch",)))) == (
        "kvm:kvm_exit",
        "sched:sched_switch",
    )
    assert {"kvm:kvm_msi_set_irq", "kvm:kvm_apic_accept_irq", "kvm:kvm_entry"} <= set(wanted_events(setting(routing)))
    assert not any("mark" in event for event in wanted_events(setting(routing)))
