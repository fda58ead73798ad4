"""Look at a real QEMU that runs, waits, and is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harness.boot.vitals import Observer, observe, read_process
from harness.clock import Deadline, monotonic_s
from harness.evidence.vitals import Look, Vitals, parse_process
from harness.qemu.command import Stream
from harness.qemu.machine import VirtualMachine, launch
from tests.boot.waiting_qemu import QEMU, build_waiting

pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def _watch(folder: Path, look: Callable[[VirtualMachine], Awaitable[Vitals]]) -> Vitals:
    async def boot() -> Vitals:
        async with launch(build_waiting, [Stream.CONSOLE], folder, Deadline.after(20)) as machine:
            return await look(machine)

    return asyncio.run(boot())


def _observe(machine: VirtualMachine, *before: Look, encrypted: bool = False) -> Awaitable[Vitals]:
    return observe(Observer(machine, encrypted, kvm=False), before, Deadline.after(3))


def test_a_guest_that_waits_for_its_start(tmp_path: Path) -> None:
    vitals = _watch(tmp_path, _observe)
    assert vitals.silence == "" and vitals.hidden == ""
    assert len(vitals.looks) == 6
    for look in vitals.looks:
        assert look.run_state == "prelaunch"
        assert {thread.vcpu for thread in look.threads} >= {None, 0, 1}
        assert [cpu.vcpu for cpu in look.cpus] == [0, 1]
        assert look.cpus[0].rip == 0xFFF0  # AMD APM volume 2, table 14-1, below the base of CS
    assert vitals.looks[-1].at_s - vitals.looks[0].at_s > 0.9


def test_that_it_was_looked_at_closely_stands_in_the_journal_and_the_long_answers_do_not(tmp_path: Path) -> None:
    _watch(tmp_path, _observe)
    journal = (tmp_path / "qmp.jsonl").read_text()
    assert journal.count('"query-status"') == 6
    assert "query-cpus-fast" not in journal and "human-monitor-command" not in journal


def test_the_look_of_every_second_stays_out_of_the_journal(tmp_path: Path) -> None:
    async def glance(machine: VirtualMachine) -> Vitals:
        await Observer(machine, encrypted=False, kvm=False).look(0.0, Deadline.after(3), closely=False)
        return Vitals((), 0, "", "", ())

    _watch(tmp_path, glance)
    assert "query-" not in (tmp_path / "qmp.jsonl").read_text()


def test_an_encrypted_guest_is_not_asked_for_registers(tmp_path: Path) -> None:
    vitals = _watch(tmp_path, lambda machine: _observe(machine, encrypted=True))
    assert "encrypted" in vitals.hidden
    assert all(look.cpus == () for look in vitals.looks)


def test_what_was_seen_before_stands_in_front(tmp_path: Path) -> None:
    before = [Look(float(second), 0.0, "running", (), 0) for second in range(-40, 0)]
    vitals = _watch(tmp_path, lambda machine: _observe(machine, *before))
    assert vitals.looks[: vitals.closely] == tuple(before[-10:])
    assert len(vitals.looks) == vitals.closely + 6


def test_a_qemu_that_is_stopped_takes_little_time(tmp_path: Path) -> None:
    async def stop(machine: VirtualMachine) -> Vitals:
        os.kill(machine.process.pid, signal.SIGSTOP)
        begin_s = monotonic_s()
        vitals = await _observe(machine)
        assert monotonic_s() - begin_s < 3
        await machine.process.kill()
        return vitals

    vitals = _watch(tmp_path, stop)
    assert vitals.silence == "QEMU did not answer `query-status` in 0.7 s"
    assert len(vitals.looks) == 6
    # A stop takes a moment to reach every thread.
    assert {thread.state for thread in vitals.looks[-1].threads} == {"T"}
    assert all(look.run_state is None for look in vitals.looks)


def test_a_qemu_that_answers_again_is_asked_again(tmp_path: Path) -> None:
    async def resume(machine: VirtualMachine) -> Vitals:
        observer = Observer(machine, encrypted=False, kvm=False)
        os.kill(machine.process.pid, signal.SIGSTOP)
        assert (await observer.look(0.0, Deadline.after(0.1))).run_state is None
        assert observer.silence
        os.kill(machine.process.pid, signal.SIGCONT)
        return await observe(observer, (), Deadline.after(3))

    assert _watch(tmp_path, resume).looks[-1].run_state == "prelaunch"


def test_a_process_that_has_ended_has_no_threads() -> None:
    assert parse_process(read_process(2**22 + 1), {}) == ((), None)
    threads, _ = parse_process(read_process(os.getpid()), {os.getpid(): 0})
    assert any(thread.vcpu == 0 for thread in threads)
