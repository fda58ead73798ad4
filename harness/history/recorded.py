"""Read a recorded run: what it was, its lines, and its plan if it is a stability campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.results.record import BootLine
from harness.results.store import Run, read_about
from harness.stability.goal import Goal
from harness.stability.plan import read_plan

__all__ = ["RecordedRun", "read_run"]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """Hold one run.

    ``harness`` and ``host`` are one line each, for people. ``goal`` is None for a run that is no stability campaign;
    ``turns`` is how many variants take turns in one that is. ``unfinished`` counts boots that began and have no line.
    """

    run: Run
    name: str
    started_utc: str
    command: tuple[str, ...]
    harness: str
    host: str
    goal: Goal | None
    turns: int
    lines: tuple[BootLine, ...]
    unfinished: int


def read_run(run: Run) -> RecordedRun:
    """Read a run.

    :raise InputError: if a line is whole but another version of the harness wrote it.
    :raise HostError: if ``run.json`` is damaged.
    """
    about = read_about(run)
    lines = tuple(run.lines()) if run.any_ended else ()
    plan = read_plan(run) if "stability" in about else None  # harness/stability/plan.py writes it
    ended = {line.folder for line in lines}
    command = about.get("command")
    return RecordedRun(
        run=run,
        name=run.folder.name,
        started_utc=str(about.get("started_utc", "")),
        command=tuple(map(str, command)) if isinstance(command, Sequence) and not isinstance(command, str) else (),
        harness=_harness(about.get("harness")),
        host=_host(about.get("host")),
        goal=None if plan is None else plan.goal,
        turns=1 if plan is None else len(plan.entries),
        lines=lines,
        unfinished=sum(name not in ended for name in run.boot_names()),
    )


def _harness(about: object) -> str:
    if not isinstance(about, Mapping):
        return "not recorded"
    commit = about.get("commit")
    return f"{about.get('version', '')}" + (f" ({commit})" if commit else "")


def _host(about: object) -> str:
    if not isinstance(about, Mapping):
        return "not recorded"
    memory = about.get("memory_bytes")
    size = f", {memory / (1 << 30):.0f} GiB" if isinstance(memory, int) else ""
    cpu = f"{about.get('cpu', '?')}, {about.get('cpus', '?')} CPUs{size}"
    return f"{cpu}; Linux {about.get('kernel', '?')}; {about.get('system', '?')}"
