"""Collect what only a living QEMU can tell, and write down what was observed."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace

from harness.boot.context import BootContext
from harness.boot.symbols import Symbols, find_symbols
from harness.boot.vitals import Observer, observe
from harness.clock import Deadline
from harness.evidence.hmp import idt_base, idt_handler
from harness.evidence.records import Loss
from harness.evidence.vitals import Look, Vitals
from harness.qemu.monitor import MonitorLost, QmpRefused
from harness.results.files import write_whole
from harness.results.load import raw_samples_json
from harness.results.vitals import write_vitals

__all__ = ["collect_state", "write_observations"]

# What a guest that came to no good end is asked for, by the human monitor: where each CPU is, and which interrupts
# wait. Of an encrypted guest the registers read as zero, the rest is true.
_QUESTIONS = ("info registers -a", "info lapic", "info irq", "info pic")


async def collect_state(context: BootContext, deadline: Deadline) -> None:
    """Write ``vitals.json``, how QEMU looked several times in a second; and ``state.json``, what it says of itself.

    The state is QEMU's run state, its CPUs, their registers and the interrupt controllers.
    """
    vitals = await observe(context.observer, context.recorder.looks if context.recorder else (), deadline)
    write_vitals(context.folder, await _with_places(vitals, context, deadline))
    # A look has little time, the state has all that is left: a QEMU that is only busy (a guest that floods a console)
    # tells it late, and one that hangs takes no more than was kept for this.
    monitor = context.machine.monitor
    state: dict[str, object] = {"at_s": context.machine.now_s()}
    try:
        for command in ("query-status", "query-cpus-fast"):
            state[command] = await monitor.execute(command, None, deadline)
        for question in _QUESTIONS:
            with suppress(QmpRefused):  # not every machine has every controller
                state[question] = (await monitor.human(question, deadline)).splitlines()
    except MonitorLost as error:
        context.losses.append(Loss("state", str(error)))
    write_whole(context.folder / "state.json", json.dumps(state, indent=1).encode())


async def _with_places(vitals: Vitals, context: BootContext, deadline: Deadline) -> Vitals:
    # Symbols are read only now that somebody wants to know, and in a thread: a kernel has 100,000 of them.
    if context.image is None or not any(look.cpus for look in vitals.looks):
        return vitals
    symbols = await asyncio.to_thread(find_symbols, context.image, context.release)
    if symbols is None:
        return vitals
    offset = await _kaslr_offset(context.observer, symbols, deadline) if context.release else 0
    if offset is None:
        return vitals  # an address is better than a wrong name

    def named(look: Look) -> Look:
        return replace(look, cpus=tuple(replace(cpu, place=symbols.place(cpu.rip, offset)) for cpu in look.cpus))

    return replace(vitals, looks=tuple(map(named, vitals.looks)))


async def _kaslr_offset(observer: Observer, symbols: Symbols, deadline: Deadline) -> int | None:
    # The IDT is at a fixed place, and its first gate says where the kernel's code really is. None: this is no kernel's.
    registers = await observer.ask("info registers", deadline)
    base = None if registers is None else idt_base(registers)
    gate = None if base is None else await observer.ask(f"x /2gx {base:#x}", deadline)
    handler = None if gate is None else idt_handler(gate)
    return None if handler is None else symbols.offset_of(handler)


def write_observations(context: BootContext) -> None:
    """Write the samples; and ``STREAM.times``, a line for each growth of a console: its size in bytes, the time.

    :raise HostError: if the disk is full.
    """
    failure = context.machine.journal.failure
    if failure is not None:
        context.losses.append(Loss("qmp", f"qmp.jsonl could not be written: {failure}"))
    for stream, console in context.machine.consoles.items():
        if not console.closed:
            context.losses.append(Loss(stream, "was not read to its end"))
        rows = (f"{chunk.end_offset} {chunk.at_s:.6f}\n" for chunk in console.chunks)
        write_whole(context.folder / f"{stream}.times", "".join(rows).encode())
    if context.samples:
        write_whole(context.folder / "samples.json", raw_samples_json.dump_json(tuple(context.samples)))
