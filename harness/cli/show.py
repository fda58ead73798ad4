"""``svsm-harness show`` and ``replay``: read a recorded run, and judge it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.judging import judge_record
from harness.cli.exit_status import ExitStatus
from harness.cli.options import Format, Results
from harness.cli.summary import exit_status, print_json, print_summary
from harness.cli.table import colour, columns, one_line, terminal_width
from harness.cli.trace import open_trace, print_divergence, print_timeline
from harness.evidence.startup import phases
from harness.results.load import load_facts
from harness.results.record import BootLine
from harness.results.store import Run, find_run, split_boot
from harness.units import format_duration

__all__ = ["replay", "show"]

_CONSOLE_TAIL_LINES = 15

RunName = Annotated[
    str, typer.Argument(metavar="RUN[/BOOT]", help="A run's folder, its name, or latest; and a boot's number: latest/3")
]


def show(
    name: RunName = "latest",
    results: Results = Path("results"),
    output: Format = "text",
    timeline: Annotated[
        bool,
        typer.Option("--timeline", help="Draw which VMPL ran on which vCPU, and write timeline.svg beside the trace."),
    ] = False,
    other: Annotated[
        str | None,
        typer.Option("--diff", metavar="RUN/BOOT", help="Find the first divergence from the trace of another boot."),
    ] = None,
) -> None:
    """Show a recorded run as a table; or one boot of it: verdicts, phases, steps, the end of its console.

    With --timeline or --diff: the trace of one boot. Exit status of --diff: 0 the traces agree, 1 they do not.
    """
    run_name, boot = split_boot(name)
    if timeline or other is not None:
        mine = open_trace(results, name)
        if timeline:
            print_timeline(mine)
        if other is not None and not print_divergence(mine, open_trace(results, other)):
            raise typer.Exit(ExitStatus.FAILED)
        return
    run = find_run(results, run_name)
    lines = tuple(run.lines()) if run.any_ended else ()
    if boot is not None:
        folder = run.boot_folder(boot)
        lines = tuple(line for line in lines if line.folder == f"boots/{folder.name}")
        if output == "text":
            _show_boot(run, folder, lines)
            return
    took_s = sum(line.duration_s for line in lines)
    status = exit_status(line.status for line in lines)
    if output == "json":
        print_json(lines, run.folder, took_s, status)
    else:
        print_summary(lines, run.folder, took_s, _without_end(run, lines))


def _without_end(run: Run, lines: Sequence[BootLine]) -> list[str]:
    ended = {line.folder for line in lines}
    left = [name for name in run.boot_names() if name not in ended]
    return [f"without an end, because it still runs or was stopped: {', '.join(left)}"] if left else []


def replay(name: RunName = "latest", results: Results = Path("results")) -> None:
    """Derive every verdict again from the record alone, and say whether it is the one that was recorded.

    Exit status 0 if all are the same, 1 if one differs.
    """
    run_name, boot = split_boot(name)
    run = find_run(results, run_name)
    wanted = None if boot is None else f"boots/{run.boot_folder(boot).name}"
    differing = judged = deleted = 0
    for line in run.lines():
        if line.outcome is None or line.folder is None or wanted not in (None, line.folder):
            continue
        folder = run.folder / line.folder
        if not folder.exists():
            deleted += 1
            continue
        again = judge_record(folder, run.read_record(folder), line.folder)
        judged += 1
        if again == line:
            print(f"same       {line.folder}  {line.identity.variant}  {line.status}")
        else:
            differing += 1
            print(f"DIFFERENT  {line.folder}  {line.identity.variant}  recorded {line.status}, now {again.status}")
            for before, after in zip(line.verdicts, again.verdicts, strict=False):
                if before != after:
                    print(f"           {before.check}: {before.reason}\n           now: {after.status}: {after.reason}")
    pruned = f"; the logs of {deleted} were deleted by prune" if deleted else ""
    print(f"{judged} boots judged again, {differing} different{pruned}")
    if differing:
        raise typer.Exit(ExitStatus.FAILED)


def _show_boot(run: Run, folder: Path, lines: Sequence[BootLine]) -> None:
    if not lines:
        print(f"{folder}: this boot never came to its end; what it left:")
        for path in sorted(folder.iterdir()):
            print(f"  {path.name}  {path.stat().st_size} bytes")
        return
    line = lines[0]
    print(f"{line.identity.variant} on {line.identity.platform}: {colour(line.status, line.status)}")
    if line.outcome is None:
        print(f"  {line.reason}")
        return
    record = run.read_record(folder)
    facts = load_facts(folder, record)
    print(
        f"outcome   {line.outcome.kind}: {one_line(line.outcome.detail)}\n          signature: {line.outcome.signature}"
    )
    print(f"QEMU      {record.qemu}, accel {record.accel}, {record.vcpus} vCPUs, {format_duration(record.duration_s)}")
    print("\nverdicts")
    width = terminal_width()
    rows = [("check", "verdict", "reason"), *((v.check, v.status, v.reason) for v in line.verdicts)]
    print("\n".join(f"  {row}" for row in columns(rows, width and width - 2, status_column=1)))
    print("\nphases of start-up")
    for phase in phases(facts.marks):
        bar = "#" * round(40 * phase.duration_s / max(facts.marks[-1].at_s, 0.001))
        print(f"  {phase.name:<14}{format_duration(phase.duration_s):>9}  until {phase.end_s:6.2f} s  {bar}")
    if facts.steps:
        print("\nsteps")
        for step in facts.steps:
            took = "" if step.begin_s is None or step.end_s is None else format_duration(step.end_s - step.begin_s)
            said = step.reason or " ".join(step.output.split())
            print(f"  {step.name:<14}{step.status:<12}{took:>9}  {one_line(said, 90)}")
    for loss in facts.losses:
        print(f"\nevidence lost: {loss}")
    print(f"\nend of the console ({folder / 'console.log'})")
    tail = bytes(facts.console[-8192:]).decode(errors="replace").splitlines()[-_CONSOLE_TAIL_LINES:]
    for text in tail:
        print(f"  {one_line(text)}")
    if record.provenance:
        print("\nmade of")
        for part, identity in record.provenance.items():
            if not part.startswith("initramfs "):
                print(f"  {part:<14}{identity}")
    sys.stdout.flush()
