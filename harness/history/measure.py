"""Measure a recorded boot: milestones of start-up, VMPL switches, interrupts by source, vCPU and VMPL.

What was measured is kept in ``measures.jsonl`` beside ``boots.jsonl``, a line a boot, because reading a trace takes
far longer than reading the numbers that it comes to. The file is derived: no verdict rests on it, and without it the
boots are measured again. It outlives the logs that ``svsm-harness prune`` deletes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from harness.errors import InputError
from harness.evidence.irq import Fate, IrqFacts
from harness.evidence.records import BootFacts, Mark
from harness.evidence.vmpl import SwitchFacts
from harness.results.files import append_line
from harness.results.load import load_facts
from harness.results.store import Run

__all__ = ["IrqCount", "Measures", "SwitchCount", "measure", "measure_boot", "read_measures", "write_measures"]

_FILE = "measures.jsonl"
# Sources beyond this are summed up as "other": a fuzzer may use every vector.
_MOST_IRQ_ROWS = 400


@dataclass(frozen=True, slots=True)
class SwitchCount:
    """Count one direction of VMPL switches over all vCPUs: asked for, refused, and made."""

    from_vmpl: int
    to_vmpl: int
    requested: int
    refused: int
    completed: int


@dataclass(frozen=True, slots=True)
class IrqCount:
    """Count the interrupts of one source on one vCPU in one VMPL.

    ``vmpl`` None: nothing shows which VMPL it was (``/proc/interrupts`` of a Linux guest, an NMI).
    """

    source: str
    vcpu: int
    vmpl: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Measures:
    """Hold the numbers of one boot.

    ``folder`` is its name in the run (``boots/0001``). ``marks`` are in the order of time. ``switches`` and ``calls``
    are None where no trace, or no complete report, shows them. ``inferred``: the flavour prints no switch.
    """

    folder: str
    marks: tuple[Mark, ...]
    switches: tuple[SwitchCount, ...] | None
    inferred: bool
    calls: int | None
    irqs: tuple[IrqCount, ...]


_measures_json: TypeAdapter[Measures] = TypeAdapter(Measures)


def measure(name: str, facts: BootFacts) -> Measures:
    """Take the numbers of a boot from its facts; ``name`` is its folder in the run."""
    trace = facts.trace
    switches = None if trace is None else trace.switches
    irqs = None if trace is None else trace.irqs
    return Measures(
        folder=name,
        marks=facts.marks,
        switches=None if switches is None else _switches(switches),
        inferred=switches is not None and switches.inferred,
        calls=_calls(facts),
        irqs=_irqs_of_trace(irqs) if irqs is not None else _irqs_of_guest(facts),
    )


def measure_boot(run: Run, name: str) -> Measures:
    """Read a boot's logs and measure it.

    :raise InputError: if it has no record.
    """
    folder = run.folder / name
    return measure(name, load_facts(folder, run.read_record(folder)))


def read_measures(run: Run) -> Mapping[str, Measures]:
    """Return what was measured before, by folder; a line that is damaged or of another version is passed over."""
    path = run.folder / _FILE
    found: dict[str, Measures] = {}
    if path.exists():
        for row in path.read_bytes().splitlines():
            try:
                measures = _measures_json.validate_json(row)
            except ValidationError:
                continue
            found[measures.folder] = measures
    return found


def write_measures(run: Run, names: Iterable[str]) -> Mapping[str, Measures]:
    """Measure those of the boots ``names`` that never were, and keep it; return the measures of all that have logs.

    :raise HostError: if it cannot be written.
    """
    found = dict(read_measures(run))
    for name in names:
        if name not in found:
            try:
                found[name] = measure_boot(run, name)
            except (InputError, OSError):
                continue  # its logs were deleted, or it never came to its end
            append_line(run.folder / _FILE, _measures_json.dump_json(found[name]))
    return found


def _switches(facts: SwitchFacts) -> tuple[SwitchCount, ...]:
    directions = {(s.from_vmpl, s.to_vmpl) for s in facts.switches}
    directions |= {(r.from_vmpl, r.to_vmpl) for r in facts.requests if r.from_vmpl is not None}
    counts = []
    for from_vmpl, to_vmpl in sorted(directions):
        numbers = facts.numbers(from_vmpl=from_vmpl, to_vmpl=to_vmpl)
        counts.append(SwitchCount(from_vmpl, to_vmpl, numbers.requested, numbers.refused, numbers.completed))
    return tuple(counts)


def _calls(facts: BootFacts) -> int | None:
    # As the guest reports them, complete or not at all (harness/checks/vmpl_switches.py).
    if facts.report is None or not facts.report.complete:
        return None
    made = [figures.get("made") for figures in facts.report.figures if figures.label == "calls"]
    return sum(int(number or 0) for number in made) if made else None


def _irqs_of_trace(facts: IrqFacts) -> tuple[IrqCount, ...]:
    gsis = {raised.vector: raised.gsi for raised in facts.raises if raised.gsi is not None}

    def source(kind: str, vector: int) -> str:
        line = f" {gsis[vector]}" if kind == "GSI" and vector in gsis else ""
        return f"{kind}{line} vector {vector:#04x}"

    counts = Counter((source(d.source, d.vector), d.vcpu, d.vmpl) for d in facts.deliveries)
    counts.update((f"{a.source} {a.mode}", a.vcpu, None) for a in facts.accepts if a.fate is Fate.UNTRACED)
    return _rows(counts)


def _irqs_of_guest(facts: BootFacts) -> tuple[IrqCount, ...]:
    # What the guest counted from ready to the end. A CPU that went offline in between has no difference.
    before, after = facts.sample("ready"), facts.sample("end")
    if before is None or after is None:
        return ()
    earlier = {(line.irq, cpu): count for line in before.interrupts.lines for cpu, count in line.counts}
    counts: Counter[tuple[str, int, int | None]] = Counter()
    for line in after.interrupts.lines:
        name = f"{line.irq} {line.text.split()[-1]}" if line.irq.isdecimal() and line.text else line.irq
        for cpu, count in line.counts:
            grown = count - earlier.get((line.irq, cpu), count)
            if grown > 0:
                counts[name, cpu, None] += grown
    return _rows(counts)


def _rows(counts: Counter[tuple[str, int, int | None]]) -> tuple[IrqCount, ...]:
    rows: Counter[tuple[str, int, int | None]] = Counter()
    for index, ((source, vcpu, vmpl), count) in enumerate(counts.most_common()):
        rows[source if index < _MOST_IRQ_ROWS else "other", vcpu, vmpl] += count
    ordered = sorted(rows.items(), key=lambda item: (item[0][0], item[0][1], -1 if item[0][2] is None else item[0][2]))
    return tuple(IrqCount(source, vcpu, vmpl, count) for (source, vcpu, vmpl), count in ordered)
