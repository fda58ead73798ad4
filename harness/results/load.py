"""Read the artifacts of one boot back into facts: the one way from a record to evidence, at once or years later."""

from __future__ import annotations

import json
import mmap
from collections.abc import Collection, Iterator, Sequence
from math import inf
from pathlib import Path

from pydantic import TypeAdapter

from harness.evidence.flavour import Flavour, KernelFacts, detect, offered_features
from harness.evidence.host import HostEvidence, KvmSample
from harness.evidence.interrupts import parse_cpu_list, parse_interrupts
from harness.evidence.ktap import parse_ktap
from harness.evidence.kut import parse_kut
from harness.evidence.records import BootFacts, Chunk, ConsoleText, Loss, Mark, QmpEvent, Sample
from harness.evidence.startup import MILESTONES, find_marks
from harness.evidence.subresults import Report
from harness.evidence.svsm_tests import parse_svsm_tests
from harness.evidence.trace import TraceFacts, read_trace
from harness.results.record import BootRecord, RawSample
from harness.results.vitals import read_vitals
from harness.scenario.model import Platform

__all__ = [
    "host_json",
    "kvm_samples_json",
    "load_facts",
    "load_marks",
    "raw_samples_json",
    "read_blocks",
    "read_console",
]

_BLOCK_BYTES = 1 << 20
# Of each console; at most 200 a second come (harness.qemu.console), so this is ten seconds and more.
_KEPT_CHUNKS = 2000

raw_samples_json: TypeAdapter[tuple[RawSample, ...]] = TypeAdapter(tuple[RawSample, ...])
host_json: TypeAdapter[HostEvidence] = TypeAdapter(HostEvidence)
kvm_samples_json: TypeAdapter[tuple[KvmSample, ...]] = TypeAdapter(tuple[KvmSample, ...])


def read_console(path: Path) -> ConsoleText:
    """Map a log; a missing or empty one is empty."""
    if not path.exists() or path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def load_facts(folder: Path, record: BootRecord, keep: Collection[str] = ()) -> BootFacts:
    """Gather the facts of a boot from its folder and its record.

    ``keep`` names the trace's events whose records are wanted one by one (:meth:`Check.kept_events`).

    Damage to an artifact is a :class:`~harness.evidence.records.Loss`, not an error.
    """
    losses = list(record.losses)
    marks: list[Mark] = []
    growth: list[Chunk] = []
    for stream in dict.fromkeys([*(milestone.stream for milestone in MILESTONES), *record.received_bytes]):
        text = read_console(folder / f"{stream}.log")
        chunks = _chunks(folder / f"{stream}.times")
        if stream in record.received_bytes:
            losses += _cut(stream, len(text), chunks, record.received_bytes[stream])
        marks += find_marks(stream, text, chunks)
        growth += chunks[-_KEPT_CHUNKS:]
    vitals, unread = read_vitals(folder)
    samples, missing = _samples(folder / "samples.json")
    host, kvm_samples, unread_host = _host(folder)
    events, damage = _events(folder / "qmp.jsonl")
    stderr = folder / "qemu.stderr"
    return BootFacts(
        platform=record.identity.platform,
        vcpus=record.vcpus,
        marks=tuple(sorted([*marks, *record.marks], key=lambda mark: mark.at_s)),
        steps=record.steps,
        samples=samples,
        events=events,
        console=read_console(folder / "console.log"),
        stderr=stderr.read_text(errors="replace") if stderr.exists() else "",
        losses=(*losses, *missing, *damage, *unread, *unread_host),
        ready_s=record.ready_s,
        gave_up_s=record.gave_up_s,
        gave_up_why=record.gave_up_why,
        qemu_end=record.qemu_end,
        debug_exit=record.debug_exit,
        trace=_trace(folder / "trace.log", record, host, keep),
        host=host,
        kvm_samples=kvm_samples,
        report=_report(folder, record),
        vitals=vitals,
        growth=tuple(sorted(growth, key=lambda chunk: chunk.at_s)),
    )


def load_marks(folder: Path, record: BootRecord) -> tuple[Mark, ...]:
    """Read only the milestones of a boot, in order of time; a hundred boots take a moment, whatever they traced."""
    marks = list(record.marks)
    for stream in dict.fromkeys(milestone.stream for milestone in MILESTONES):
        marks += find_marks(stream, read_console(folder / f"{stream}.log"), _chunks(folder / f"{stream}.times"))
    return tuple(sorted(marks, key=lambda mark: mark.at_s))


def read_blocks(path: Path) -> Iterator[bytes]:
    """Yield a log in blocks, so that no trace is ever held whole.

    :raise OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _trace(path: Path, record: BootRecord, host: HostEvidence | None, keep: Collection[str]) -> TraceFacts | None:
    if not path.exists():
        return None
    if host is None or host.tracing is None:
        return read_trace(read_blocks(path), record.vcpus, keep=keep)
    flavour = host.flavour
    if flavour is None and record.identity.platform not in (Platform.SNP, Platform.SVSM):
        flavour = Flavour.MAINLINE  # without SNP there are no VMPLs, and every kind of KVM counts alike
    if flavour is None:
        offered = offered_features(read_console(path.parent / "console.log"))
        flavour = detect(KernelFacts(ghcb_features=offered)).flavour
    threads = dict(host.tracing.threads)
    return read_trace(read_blocks(path), record.vcpus, flavour, keep=keep, threads=threads)


def _host(folder: Path) -> tuple[HostEvidence | None, tuple[KvmSample, ...], tuple[Loss, ...]]:
    # Only a guest under KVM has them.
    losses: list[Loss] = []
    host: HostEvidence | None = None
    samples: tuple[KvmSample, ...] = ()
    path, stats = folder / "host.json", folder / "kvm_stats.json"
    if path.exists():
        try:
            host = host_json.validate_json(path.read_bytes())
        except ValueError:
            losses += [Loss(what, "host.json is damaged") for what in ("trace", "host_log")]
    if stats.exists():
        try:
            samples = kvm_samples_json.validate_json(stats.read_bytes())
        except ValueError:
            losses.append(Loss("kvm_stats", "kvm_stats.json is damaged"))
    return host, samples, tuple(losses)


def _report(folder: Path, record: BootRecord) -> Report | None:
    if record.reports is None:
        return None
    path = folder / f"{record.report_stream}.log"
    blocks = read_blocks(path) if path.exists() else iter(())
    end = record.qemu_end
    status = end.status if end is not None and not end.asked else None
    if record.reports == "svsm-tests":
        return parse_svsm_tests(blocks, status)
    return parse_ktap(blocks) if record.reports == "ktap" else parse_kut(blocks, status)


def _cut(stream: str, logged_bytes: int, chunks: Sequence[Chunk], received_bytes: int) -> list[Loss]:
    # The log ends where the disk was full; the guest went on (harness.qemu.console).
    if logged_bytes < received_bytes:
        return [Loss(stream, f"the log has {logged_bytes} of {received_bytes} bytes; was the disk full?")]
    timed_bytes = chunks[-1].end_offset if chunks else 0
    if timed_bytes < received_bytes:
        return [Loss(stream, f"{stream}.times has the times of {timed_bytes} of {received_bytes} bytes")]
    return []


def _chunks(path: Path) -> tuple[Chunk, ...]:
    # Up to the first row that is damaged: what is missing behind it shows as bytes without a time.
    chunks: list[Chunk] = []
    if path.exists():
        # What stands behind the last newline was cut, and a part of a number is another number.
        for row in path.read_text(errors="replace").split("\n")[:-1]:
            try:
                offset, at_s = row.split()
                chunk = Chunk(int(offset), float(at_s))
            except ValueError:
                break
            before = chunks[-1] if chunks else Chunk(0, 0.0)
            # Neither goes back, a console's length or a monotonic clock.
            if chunk.end_offset < before.end_offset or not before.at_s <= chunk.at_s < inf:
                break
            chunks.append(chunk)
    return tuple(chunks)


def _samples(path: Path) -> tuple[tuple[Sample, ...], tuple[Loss, ...]]:
    # A sample that was never taken is no loss: the check that needs it says so.
    if not path.exists():
        return (), ()
    try:
        raw_samples = raw_samples_json.validate_json(path.read_bytes())
    except ValueError:
        return (), (Loss("samples", "samples.json is damaged"),)
    samples: list[Sample] = []
    losses: list[Loss] = []
    for raw in raw_samples:
        try:
            samples.append(Sample(raw.label, raw.at_s, parse_interrupts(raw.interrupts), parse_cpu_list(raw.online)))
        except ValueError as error:
            losses.append(Loss("samples", f"{raw.label}: {error}"))
    return tuple(samples), tuple(losses)


def _events(path: Path) -> tuple[tuple[QmpEvent, ...], tuple[Loss, ...]]:
    # The journal begins with the harness's own first command, so no boot is without one.
    try:
        rows = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        rows = []
    if not rows:
        return (), (Loss("qmp", "there is no qmp.jsonl, or it is empty"),)
    events: list[QmpEvent] = []
    last_s = 0.0
    for number, row in enumerate(rows, start=1):
        try:
            entry = json.loads(row)
            event = _event(entry)
            at_s = float(entry["at_s"])
        except (ValueError, KeyError, TypeError):
            return tuple(events), (Loss("qmp", f"line {number} of qmp.jsonl is damaged"),)
        if not last_s <= at_s < inf:
            why = f"line {number} of qmp.jsonl is from {at_s} s, after one from {last_s} s: a clock jumped"
            return tuple(events), (Loss("qmp", f"{why}, or it is damaged"),)
        last_s = at_s
        if event is not None:
            events.append(event)
    return tuple(events), ()


def _event(entry: object) -> QmpEvent | None:
    # None: a command or its answer.
    if not isinstance(entry, dict):
        raise TypeError("no entry of a journal")
    if "event" not in entry:
        return None
    name, data = entry["event"]["event"], entry["event"]["data"]
    if not isinstance(name, str) or not isinstance(data, dict):
        raise TypeError("no QMP event")
    return QmpEvent(float(entry["at_s"]), name, json.dumps(data, sort_keys=True))
