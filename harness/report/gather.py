"""Gather what one page shows of some runs: read everything once, in bounded time and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.checks.base import Status, worst
from harness.errors import InputError
from harness.history.baseline import Baseline, measured_of, phase_times_s
from harness.history.change import Change, Comparison, GroupChange, compare_groups
from harness.history.measure import Measures, measure_boot, read_measures
from harness.history.recorded import RecordedRun
from harness.history.tally import Boot, Group, Kind, group_runs
from harness.report.example import Example, show_example
from harness.report.expected import Row, rows_of
from harness.report.matrix import IrqMatrix, SwitchTable, irq_matrix, switch_table
from harness.report.plain import plain
from harness.results.record import BootRecord

__all__ = ["Failure", "Night", "Section", "VariantRow", "gather"]

# Boots of a group that are measured for this page if nobody measured them before (svsm-harness history does).
_SAMPLE = 60
# Reading traces is most of the time: 20 MB take a second (measured on 2 cores).
_MOST_TRACE_BYTES = 60 << 20
_MOST_VARIANTS = 150
_MOST_KINDS = 12
_MOST_EXAMPLES = 40


@dataclass(frozen=True, slots=True)
class VariantRow:
    """Hold one variant: its counts, its worst boot, and what that boot shows."""

    variant: str
    status: Status
    good: int
    bad: int
    lost: int
    known: int
    shown: str | None
    reason: str
    rows: tuple[Row, ...]
    switches: SwitchTable | None
    irqs: IrqMatrix | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Hold one kind of failure; ``example`` is None where the page has no room for one more."""

    kind: Kind
    new: bool
    example: Example | None


@dataclass(frozen=True, slots=True)
class Section:
    """Hold one scenario on one grade.

    ``phases`` are (name, boots that reached it, durations), ``measured`` how many boots they speak of. ``unread``
    boots were to be measured and have a record that cannot be read.
    """

    group: Group
    change: GroupChange | None
    about_file: str
    variants: tuple[VariantRow, ...]
    variants_left_out: int
    phases: tuple[tuple[str, tuple[float, ...]], ...]
    phases_before: Mapping[str, tuple[float, ...]]
    measured: int
    failures: tuple[Failure, ...]
    made_of: tuple[tuple[str, tuple[str, ...]], ...]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Night:
    """Hold all of some runs; what is in no section has not been booted."""

    runs: tuple[RecordedRun, ...]
    groups: tuple[Group, ...]
    baseline: Baseline | None
    comparison: Comparison | None
    sections: tuple[Section, ...]
    status: Status

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return what changed since the baseline, the worst first; nothing without one."""
        return () if self.comparison is None else self.comparison.changes


def gather(runs: Sequence[RecordedRun], baseline: Baseline | None) -> Night:
    """Read what the page shows.

    :raise InputError: if no boot of the runs came to its end.
    """
    groups = group_runs(runs)
    if not groups:
        raise InputError("no boot of these runs came to its end: nothing to report")
    by_name = {run.name: run for run in runs}
    measures = {run.name: dict(read_measures(run.run)) for run in runs}
    unread = _measure(groups, by_name, measures)
    comparison = None if baseline is None else compare_groups(baseline, groups, measures)
    sections = []
    examples = _MOST_EXAMPLES
    for group in groups:
        change = None if comparison is None else comparison.groups.get((group.scenario, group.grade))
        section = _section(group, change, by_name, measures, examples)
        section = replace(section, unread=sum((boot.run, boot.line.folder) in unread for boot in group.boots))
        examples -= sum(failure.example is not None for failure in section.failures)
        sections.append(section)
    return Night(
        runs=tuple(runs),
        groups=groups,
        baseline=baseline,
        comparison=comparison,
        sections=tuple(sections),
        status=Status.FAIL if any(run.known.wrong for run in runs) else worst([group.verdict for group in groups]),
    )


def _measure(
    groups: Sequence[Group], runs: Mapping[str, RecordedRun], measures: Mapping[str, dict[str, Measures]]
) -> set[tuple[str, str | None]]:
    # Returns the boots, by run and folder, that are here and cannot be read. Measured is the worst boot of each variant
    # first, then some of each group, evenly spread over the campaign.
    wanted = [_worst(boots) for group in groups for boots in list(group.by_variant().values())[:_MOST_VARIANTS]]
    for group in groups:
        step = max(1, len(group.boots) // _SAMPLE)
        wanted += group.boots[::step][:_SAMPLE]
    trace_bytes = _MOST_TRACE_BYTES
    unread: set[tuple[str, str | None]] = set()
    for boot in wanted:
        folder = boot.line.folder
        if folder is None or folder in measures[boot.run]:
            continue
        run = runs[boot.run].run
        path = run.folder / folder / "trace.log"
        size_bytes = path.stat().st_size if path.exists() else 0
        if size_bytes > trace_bytes:
            continue
        trace_bytes -= size_bytes
        try:
            measures[boot.run][folder] = measure_boot(run, folder)
        except (InputError, OSError):
            if (run.folder / folder).exists():
                unread.add((boot.run, folder))
    return unread


def _worst(boots: Sequence[Boot]) -> Boot:
    status = worst([boot.line.status for boot in boots])
    return next((boot for boot in boots if boot.line.status is status), boots[0])


def _section(
    group: Group,
    change: GroupChange | None,
    runs: Mapping[str, RecordedRun],
    measures: Mapping[str, Mapping[str, Measures]],
    examples: int,
) -> Section:
    measured = measured_of(group, measures)
    by_variant = group.by_variant()
    rows = []
    made_of: dict[str, list[str]] = {}
    for variant, boots in list(by_variant.items())[:_MOST_VARIANTS]:
        shown = _worst(boots)
        record = _record(shown, runs)
        if record is not None:
            for part, value in {"QEMU": record.qemu, "accelerator": record.accel, **record.provenance}.items():
                values = made_of.setdefault(plain(part, 80), [])
                if plain(value, 200) not in values:
                    values.append(plain(value, 200))
        found = measures.get(shown.run, {}).get(shown.line.folder or "")
        rows.append(_variant_row(variant, boots, shown, record, found))
    order = list(Status)
    rows.sort(key=lambda row: order.index(row.status))
    new = {kind.signature for kind in change.new_kinds} if change is not None and change.before is not None else set()
    failures: list[Failure] = []
    for kind in group.kinds():
        room = len(failures) < min(_MOST_KINDS, examples)
        example = show_example(runs[kind.first.run].run, kind.first) if room else None
        cleaned = replace(kind, signature=plain(kind.signature, 200))
        failures.append(Failure(cleaned, kind.signature in new, example))
    return Section(
        group=group,
        change=change,
        about_file=group.boots[0].line.identity.file,
        variants=tuple(rows),
        variants_left_out=len(by_variant) - len(rows),
        phases=tuple(phase_times_s(measured).items()),
        phases_before={} if change is None or change.before is None else change.before.phases_s,
        measured=len(measured),
        failures=tuple(failures),
        made_of=tuple((part, tuple(values)) for part, values in made_of.items()),
    )


def _record(boot: Boot, runs: Mapping[str, RecordedRun]) -> BootRecord | None:
    if boot.line.folder is None:
        return None
    run = runs[boot.run].run
    try:
        return run.read_record(run.folder / boot.line.folder)
    except InputError:
        return None


def _variant_row(
    variant: str, boots: Sequence[Boot], shown: Boot, record: BootRecord | None, found: Measures | None
) -> VariantRow:
    statuses = [boot.line.status for boot in boots]
    return VariantRow(
        variant=plain(variant, 200),
        status=shown.line.status,
        good=statuses.count(Status.PASS),
        bad=statuses.count(Status.FAIL),
        lost=statuses.count(Status.INCONCLUSIVE) + statuses.count(Status.ERROR),
        known=sum(boot.issue is not None for boot in boots),
        shown=shown.name,
        reason=plain(shown.line.reason, 300),
        rows=() if record is None else rows_of(record, shown.line),
        switches=None if found is None else switch_table(found),
        irqs=None if found is None else irq_matrix(found),
    )
