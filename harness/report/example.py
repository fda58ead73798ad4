"""Show one boot as evidence: what it was, what was found, the end of its console, its timeline, how to see it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.checks.base import Status, Verdict
from harness.errors import InputError
from harness.evidence.timeline import Violation, build_timeline
from harness.evidence.timeline_svg import draw_svg
from harness.history.tally import Boot
from harness.report.figures import image_of
from harness.report.plain import console_tail, plain
from harness.results.load import load_facts
from harness.results.record import BootLine, BootRecord
from harness.results.store import Run

__all__ = ["Example", "show_example"]

_CONSOLE_LINES = 30
_CONSOLE_COLUMNS = 200
_LONGEST = 600
# A longer trace is left to `show --timeline`: the page must be made in seconds.
_MOST_TRACE_BYTES = 16 << 20
_MOST_SVG_BYTES = 120 << 10
_LANE_INTERVALS = 300


@dataclass(frozen=True, slots=True)
class Example:
    """Hold one boot as it is shown.

    ``name`` is how commands name it (``RUN/3``), None where nothing was booted. ``timeline`` is a data URI, None where
    there is no trace to draw. ``console`` are its last lines, made plain; ``notes`` what the reader should know of the
    evidence.
    """

    name: str | None
    variant: str
    grade: str
    status: Status
    reason: str
    outcome: str
    verdicts: tuple[Verdict, ...]
    console: tuple[str, ...]
    timeline: str | None
    steps: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


def show_example(run: Run, boot: Boot) -> Example:
    """Read a boot's folder; what is missing or damaged is a note."""
    line = boot.line
    console: tuple[str, ...] = ()
    timeline: str | None = None
    steps: tuple[tuple[str, str, str], ...] = ()
    notes: list[str] = []
    if line.folder is None:
        notes.append("nothing was booted")
    else:
        folder = run.folder / line.folder
        console = console_tail(folder / "console.log", _CONSOLE_LINES, _CONSOLE_COLUMNS)
        try:
            record = run.read_record(folder)
        except InputError as error:
            notes.append(plain(str(error), _LONGEST) if folder.exists() else "its logs were deleted by prune")
        else:
            steps = tuple(
                (plain(step.name, 60), str(step.status), plain(step.reason or step.output, 160))
                for step in record.steps
            )
            notes += [plain(f"evidence lost: {loss}", _LONGEST) for loss in record.losses]
            timeline, why = _timeline(folder, record, line)
            notes += [why] if why else []
    return Example(
        name=boot.name,
        variant=line.identity.variant,
        grade=line.identity.platform,
        status=line.status,
        reason=plain(line.reason, _LONGEST),
        outcome="" if line.outcome is None else plain(f"{line.outcome.kind}: {line.outcome.detail}", _LONGEST),
        verdicts=tuple(Verdict(v.check, v.status, plain(v.reason, _LONGEST), v.at) for v in line.verdicts),
        console=console,
        timeline=timeline,
        steps=steps,
        notes=tuple(notes),
    )


def _timeline(folder: Path, record: BootRecord, line: BootLine) -> tuple[str | None, str]:
    # The drawing, and why there is none although there is a trace.
    path = folder / "trace.log"
    if not path.exists():
        return None, ""
    where = "svsm-harness show --timeline draws it"
    if path.stat().st_size > _MOST_TRACE_BYTES:
        return None, f"the trace has {path.stat().st_size >> 20} MiB; {where}"
    trace = load_facts(folder, record).trace
    if trace is None or trace.switches is None:
        reasons = "it is empty" if trace is None else "; ".join(trace.reasons)
        return None, plain(f"the trace cannot be drawn: {reasons}", _LONGEST)
    placed = [v for v in line.verdicts if v.status is Status.FAIL and v.at is not None]
    violation = None
    if placed:
        first = min(placed, key=lambda verdict: verdict.at.at if verdict.at is not None else 0)
        assert first.at is not None  # placed
        violation = Violation(first.at.at, first.at.vcpu, plain(f"{first.check}: {first.reason}", 160))
    timeline = build_timeline(trace.switches, trace.irqs)
    svg = draw_svg(timeline, violation, title=plain(line.identity.variant, 120), largest_intervals=_LANE_INTERVALS)
    return (image_of(svg), "") if len(svg) <= _MOST_SVG_BYTES else (None, f"the timeline is large; {where}")
