"""Carry out the steps of a scenario, one function a kind.

A step never raises for what the guest or QEMU did with it: it answers with a fact. Only a harness that is wrong, or
that is being stopped, raises.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import singledispatch
from pathlib import Path
from typing import Any

from harness.boot.context import BootContext
from harness.boot.selftests import find_selftests, run_selftests
from harness.clock import Deadline, poll, settle
from harness.errors import HarnessBug, HarnessError, InputError
from harness.evidence.interrupts import InterruptTable, change
from harness.evidence.records import StepFact, StepStatus
from harness.evidence.selftests import render_selftests, status_of
from harness.evidence.startup import MILESTONES
from harness.guest.ssh import GuestFileError, GuestShell, SshError
from harness.guest.stimulus import STIMULUS
from harness.qemu.command import Stream
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost, QmpRefused
from harness.scenario.steps import (
    DownloadStep,
    GuestStep,
    KvmSelftestsStep,
    QmpStep,
    SleepStep,
    Step,
    StimulusStep,
    UploadStep,
    WaitStep,
)
from harness.units import format_duration

__all__ = ["run_step"]

# A reading costs a few milliseconds; the guest announces no interrupt to us.
_LOOK_EVERY_S = 0.01
# An event that ended the guest may be the very one that the step waits for; it is there already, or on its way.
_LAST_WORDS_S = 0.5


@dataclass(frozen=True, slots=True)
class _Done:
    exit_status: int | None = None
    output: str = ""


class _StepFailed(HarnessError):
    # A step that did not do what it says; carries what it had until then.
    def __init__(self, reason: str, done: _Done = _Done()) -> None:
        self.done = done
        super().__init__(reason)


async def run_step(
    step: Step, index: int, context: BootContext, deadline: Deadline, gone: asyncio.Task[str]
) -> StepFact:
    """Carry out one step and return what became of it.

    ``gone`` ends when the guest does, with a sentence that says how; no step is waited for much longer than that.
    """
    deadline = deadline.within(step.within)
    fact = StepFact(index, step.name, step.key, StepStatus.DONE, begin_s=context.machine.now_s())
    try:
        done = await _unless_gone(_carry_out(step, context, deadline), gone)
        fact = replace(fact, exit_status=done.exit_status, output=done.output)
    except _StepFailed as error:
        fact = replace(fact, status=StepStatus.FAILED, reason=str(error))
        fact = replace(fact, exit_status=error.done.exit_status, output=error.done.output)
    except QmpRefused as error:
        fact = replace(fact, status=StepStatus.REFUSED, reason=str(error))
    except (SshError, MonitorLost, EOFError) as error:
        fact = replace(fact, status=StepStatus.FAILED, reason=str(error))
    except TimeoutError:
        took = format_duration(context.machine.now_s() - (fact.begin_s or 0.0))
        fact = replace(fact, status=StepStatus.LATE, reason=f"not done after {took}")
    return replace(fact, end_s=context.machine.now_s())


async def _unless_gone(work: Coroutine[Any, Any, _Done], gone: asyncio.Task[str]) -> _Done:
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=_LAST_WORDS_S)
        if not task.done():
            raise _StepFailed(f"the guest ended: {gone.result()}")
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@singledispatch
async def _carry_out(step: Step, context: BootContext, deadline: Deadline) -> _Done:
    raise HarnessBug(f"no one knows how to do a {step.key} step")


@_carry_out.register
async def _(step: QmpStep, context: BootContext, deadline: Deadline) -> _Done:
    output = ""
    pace = step.paced_by
    before = await context.interrupts(deadline) if pace is not None else None
    for number in range(1, step.repeat + 1):
        answer = await context.machine.monitor.execute(step.execute, step.arguments, deadline)
        if answer:
            output = str(answer)
        if pace is not None and before is not None:
            await _until_counted(context, before, pace.source, number * pace.each, deadline)
    return _Done(output=output)


async def _until_counted(
    context: BootContext, before: InterruptTable, source: str, wanted: int, deadline: Deadline
) -> None:
    counted = 0
    async for _ in poll(deadline, _LOOK_EVERY_S):
        try:
            counted = change(source, before, await context.interrupts(deadline)).total
        except ValueError as error:
            raise _StepFailed(str(error)) from error
        except TimeoutError:
            break
        if counted >= wanted:
            return
    raise _StepFailed(f"the guest counted {counted} of {wanted} interrupts of {source}, and no more came")


@_carry_out.register
async def _(step: GuestStep, context: BootContext, deadline: Deadline) -> _Done:
    completed = await _shell(context).run(step.run, deadline)
    output = (completed.out + completed.err).decode(errors="replace")
    done = _Done(completed.status, output)
    if completed.timed_out:
        raise _StepFailed(f"the command did not end in {format_duration(completed.duration_s)}", done)
    if completed.truncated:
        raise _StepFailed("the command wrote more than is kept", done)
    if completed.status is None:
        raise _StepFailed("the command was killed by a signal", done)
    if step.status not in ("any", completed.status):
        last = output.strip().splitlines()[-1:] or ["(no output)"]
        raise _StepFailed(f"exit status {completed.status}, not {step.status}: {last[0][:200]}", done)
    return done


@_carry_out.register
async def _(step: StimulusStep, context: BootContext, deadline: Deadline) -> _Done:
    return await _carry_out(GuestStep(name=step.name, run=f"{STIMULUS} {step.arguments}"), context, deadline)


@_carry_out.register
async def _(step: WaitStep, context: BootContext, deadline: Deadline) -> _Done:
    machine = context.machine
    if step.console is not None:
        pattern = re.compile(step.console.encode(), re.MULTILINE)
        return _Done(output=(await machine.console.wait_for(pattern, deadline)).decode(errors="replace"))
    if step.event is not None:
        async with deadline.limit():
            return _Done(output=(await machine.monitor.wait_event(step.event)).data)
    if step.milestone is not None:
        return await _wait_milestone(step.milestone, machine, deadline)
    assert step.interrupts is not None  # WaitStep: exactly one of the four
    before = await context.interrupts(deadline)
    await _until_counted(context, before, step.interrupts.source, step.interrupts.increase, deadline)
    return _Done()


async def _wait_milestone(name: str, machine: VirtualMachine, deadline: Deadline) -> _Done:
    for milestone in MILESTONES:
        if milestone.name == name and milestone.stream in machine.consoles:
            console = machine.consoles[Stream(milestone.stream)]
            await console.wait_for(milestone.pattern, deadline, anywhere=True)
            return _Done()
    raise _StepFailed(f"this guest has no milestone {name}")


@_carry_out.register
async def _(step: UploadStep, context: BootContext, deadline: Deadline) -> _Done:
    try:
        await _shell(context).upload(Path(step.from_path), step.to, deadline, int(step.mode, 8))
    except GuestFileError as error:
        raise _StepFailed(str(error)) from error
    except OSError as error:
        raise _StepFailed(f"cannot read {step.from_path}: {error.strerror}") from error
    return _Done()


@_carry_out.register
async def _(step: DownloadStep, context: BootContext, deadline: Deadline) -> _Done:
    data = await _shell(context).download(step.from_path, deadline)
    folder = context.folder / "downloads"
    folder.mkdir(exist_ok=True)
    (folder / step.to).write_bytes(data)
    return _Done(output=f"{len(data)} bytes")


@_carry_out.register
async def _(step: SleepStep, context: BootContext, deadline: Deadline) -> _Done:
    async with deadline.limit():
        await settle(step.settle)
    return _Done(output=step.why)


@_carry_out.register
async def _(step: KvmSelftestsStep, context: BootContext, deadline: Deadline) -> _Done:
    try:
        programs = find_selftests(Path(step.folder), step.only)
    except InputError as error:
        raise _StepFailed(str(error)) from error
    tests = await run_selftests(context.host, programs, step.timeout, deadline)
    done = _Done(output=render_selftests(tests))
    failed = [test.name for test in tests if status_of(test).failed]
    if failed:
        raise _StepFailed(f"{len(failed)} of {len(tests)} selftests failed: {', '.join(failed[:5])}", done)
    return done


def _shell(context: BootContext) -> GuestShell:
    if context.shell is None:
        raise _StepFailed("this guest has no SSH")
    return context.shell
