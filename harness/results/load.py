"""Read the artifacts of one boot back into facts: the one way from a record to evidence, at once or years later."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter

from harness.errors import InputError
from harness.evidence.interrupts import parse_cpu_list, parse_interrupts
from harness.evidence.records import BootFacts, Chunk, ConsoleText, Loss, Mark, QmpEvent, Sample
from harness.evidence.startup import MILESTONES, find_marks
from harness.results.record import BootRecord, RawSample

__all__ = ["load_facts", "raw_samples_json", "read_console"]

raw_samples_json: TypeAdapter[tuple[RawSample, ...]] = TypeAdapter(tuple[RawSample, ...])


def read_console(path: Path) -> ConsoleText:
    """Map a log; a missing or empty one is empty."""
    if not path.exists() or path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def load_facts(folder: Path, record: BootRecord) -> BootFacts:
    """Gather the facts of a boot from its folder and its record.

    Damage to an artifact is a :class:`~harness.evidence.records.Loss`, not an error.

    :raise InputError: if the folder lacks what every boot has.
    """
    losses = list(record.losses)
    marks: list[Mark] = []
    for stream in dict.fromkeys(milestone.stream for milestone in MILESTONES):
        text = read_console(folder / f"{stream}.log")
        if stream in record.received_bytes:
            losses += _cut(stream, len(text), record.received_bytes[stream])
        marks += find_marks(stream, text, tuple(_chunks(folder / f"{stream}.times")))
    samples: list[Sample] = []
    for raw in _raw_samples(folder):
        try:
            samples.append(Sample(raw.label, raw.at_s, parse_interrupts(raw.interrupts), parse_cpu_list(raw.online)))
        except ValueError as error:
            losses.append(Loss("samples", f"{raw.label}: {error}"))
    events, damage = _events(folder / "qmp.jsonl")
    stderr = folder / "qemu.stderr"
    return BootFacts(
        platform=record.identity.platform,
        vcpus=record.vcpus,
        marks=tuple(sorted([*marks, *record.marks], key=lambda mark: mark.at_s)),
        steps=record.steps,
        samples=tuple(samples),
        events=events,
        console=read_console(folder / "console.log"),
        stderr=stderr.read_text(errors="replace") if stderr.exists() else "",
        losses=(*losses, *damage),
        ready_s=record.ready_s,
        gave_up_s=record.gave_up_s,
        qemu_end=record.qemu_end,
        debug_exit=record.debug_exit,
    )


def _cut(stream: str, logged_bytes: int, received_bytes: int) -> list[Loss]:
    # The log ends where the disk was full; the guest went on (harness.qemu.console).
    if logged_bytes < received_bytes:
        return [Loss(stream, f"the log has {logged_bytes} of {received_bytes} bytes; was the disk full?")]
    return []


def _chunks(path: Path) -> Iterator[Chunk]:
    if path.exists():
        for row in path.read_text().splitlines():
            offset, at_s = row.split()
            yield Chunk(int(offset), float(at_s))


def _raw_samples(folder: Path) -> tuple[RawSample, ...]:
    path = folder / "samples.json"
    try:
        return raw_samples_json.validate_json(path.read_bytes()) if path.exists() else ()
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _events(path: Path) -> tuple[tuple[QmpEvent, ...], tuple[Loss, ...]]:
    if not path.exists():
        return (), ()
    events = []
    for number, row in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        try:
            entry = json.loads(row)
            if "event" in entry:
                event = entry["event"]
                data = json.dumps(event["data"], sort_keys=True)
                events.append(QmpEvent(entry["at_s"], event["event"], data))
        except (ValueError, KeyError, TypeError):
            return tuple(events), (Loss("qmp", f"line {number} of qmp.jsonl is damaged"),)
    return tuple(events), ()
