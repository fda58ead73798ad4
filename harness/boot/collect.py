"""Collect what only a living QEMU can tell, and write down what was observed."""

from __future__ import annotations

import json
from contextlib import suppress

from harness.boot.context import BootContext
from harness.clock import Deadline
from harness.evidence.records import Loss
from harness.qemu.monitor import MonitorLost, QmpRefused
from harness.results.files import write_whole
from harness.results.load import raw_samples_json

__all__ = ["collect_state", "write_observations"]

# What a guest that came to no good end is asked for, by the human monitor: where each CPU is, and which interrupts
# wait. Of an encrypted guest the registers read as zero, the rest is true.
_QUESTIONS = ("info registers -a", "info lapic", "info irq", "info pic")


async def collect_state(context: BootContext, deadline: Deadline) -> None:
    """Write ``state.json``: QEMU's run state, its CPUs, their registers and the interrupt controllers."""
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
