"""Show the trace of a recorded boot: who ran when, and where two traces first differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.boot.judging import judge_record
from harness.checks.base import Status
from harness.cli.table import one_line, terminal_width
from harness.errors import InputError
from harness.evidence.divergence import compare_traces
from harness.evidence.ftrace import Decoder, Record
from harness.evidence.latency import measures_time
from harness.evidence.timeline import Timeline, Violation, build_timeline
from harness.evidence.timeline_svg import draw_svg
from harness.evidence.timeline_text import draw_text
from harness.evidence.trace import EVENTS
from harness.results.files import write_whole
from harness.results.load import load_facts, read_blocks
from harness.results.record import BootLine, BootRecord
from harness.results.store import find_run, split_boot

__all__ = ["TracedBoot", "open_trace", "print_divergence", "print_timeline"]

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class TracedBoot:
    """Be a recorded boot that has a trace."""

    folder: Path
    record: BootRecord
    line: BootLine


def open_trace(results: Path, name: str) -> TracedBoot:
    """Find the boot ``name`` (RUN/BOOT).

    :raise InputError: if no boot is named, there is none, or it has no trace.
    """
    run_name, boot = split_boot(name)
    if boot is None:
        raise InputError(f"a trace belongs to one boot: name it, such as {name}/1")
    run = find_run(results, run_name)
    folder = run.boot_folder(boot)
    if not (folder / "trace.log").is_file():
        raise InputError(f"{folder} has no trace; only guests with payload.trace have one")
    record = run.read_record(folder)
    return TracedBoot(folder, record, judge_record(folder, record, f"boots/{folder.name}"))


def print_timeline(boot: TracedBoot) -> None:
    """Draw the lanes of all vCPUs, point at the first violation, and write the same as SVG.

    :raise InputError: if the trace cannot be understood.
    """
    facts = load_facts(boot.folder, boot.record)
    trace = facts.trace
    if trace is None or trace.switches is None:
        reasons = "; ".join(trace.reasons) if trace is not None else "it is empty"
        raise InputError(f"{boot.folder}/trace.log cannot be drawn: {reasons}")
    timeline: Timeline = build_timeline(trace.switches, trace.irqs)
    violation = _violation(boot.line)
    is_time = measures_time(trace.integrity.unit)
    print(f"{boot.record.identity.variant} on {boot.record.identity.platform}, flavour {trace.flavour}")
    print(draw_text(timeline, terminal_width() or _WIDTH, violation, time_is_ns=is_time), end="")
    for reason in trace.integrity.reasons:
        print(f"evidence lost: {one_line(reason)}")
    svg = boot.folder / "timeline.svg"
    write_whole(svg, draw_svg(timeline, violation, title=boot.record.identity.variant).encode())
    print(f"drawn: {svg}")


def _violation(line: BootLine) -> Violation | None:
    placed = [v for v in line.verdicts if v.status is Status.FAIL and v.at is not None]
    if not placed:
        return None
    first = min(placed, key=lambda verdict: verdict.at.at if verdict.at is not None else 0)
    assert first.at is not None  # placed
    return Violation(first.at.at, first.at.vcpu, f"{first.check}: {first.reason}")


def print_divergence(a: TracedBoot, b: TracedBoot) -> bool:
    """Print where the traces of two boots first differ, vCPU by vCPU; tell whether they agree."""
    comparison = compare_traces(_records(a), _records(b))
    first = comparison.first
    print(f"A: {a.folder}  {comparison.compared[0]} events\nB: {b.folder}  {comparison.compared[1]} events")
    if first is None:
        print("the traces agree" if comparison.equal else "the traces agree on the vCPUs that both have")
        return comparison.equal
    where = f"the {first.index + 1}. compared event of vCPU {first.vcpu}"
    print(f"first divergence: {where}: {first.kind}\n")
    for text in first.before:
        print(f"    {one_line(text)}")
    for sign, place, after in (("A", first.a, first.after_a), ("B", first.b, first.after_b)):
        if place is None:
            print(f"  {sign} (the trace ends)")
        else:
            print(f"  {sign} {one_line(place.text)}    (line {place.line})")
            for text in after:
                print(f"  {sign.lower()} {one_line(text)}")
    return False


def _records(boot: TracedBoot) -> Iterator[Record]:
    return Decoder(EVENTS).records(read_blocks(boot.folder / "trace.log"))
