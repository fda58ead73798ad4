"""Read a recorded run: what it was, its lines, and its plan if it is a stability campaign."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.results.record import BootLine
from harness.results.store import Run, read_about
from harness.stability.goal import Goal
from harness.stability.plan import read_plan

__all__ = ["Known", "RecordedRun", "read_run"]


@dataclass(frozen=True, slots=True)
class Known:
    """Hold what the known issues said of a run when it was made: ``known.json``.

    ``of_boot`` maps the folder of a failed boot to the issue that excuses it. ``sentences`` say each issue that was
    seen, ``wrong`` each that is worse than accepted or has expired: such a run fails.
    """

    of_boot: Mapping[str, str] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


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
    known: Known = field(default_factory=Known)

    def issue_of(self, line: BootLine) -> str | None:
        """Return the known issue that excuses a failed boot; None: none does."""
        return None if line.folder is None else self.known.of_boot.get(line.folder)


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
        known=_known(run),
    )


def _known(run: Run) -> Known:
    # A file that is damaged excuses nothing.
    try:
        found = json.loads((run.folder / "known.json").read_bytes())
        issues = [
            (bool(issue["worse"]), f"known issue {issue['id']}: {issue['bad']} of {issue['told']} boots", issue)
            for issue in found["issues"]
            if issue["bad"]
        ]
        return Known(
            of_boot={str(folder): str(name) for folder, name in found["boots"].items()},
            sentences=tuple(
                f"{said}, accepted until {issue['expires']} ({issue['link']})"
                for worse, said, issue in issues
                if not worse
            ),
            wrong=(
                *map(str, found["expired"]),
                *(f"{said}: more than what was accepted" for worse, said, _ in issues if worse),
            ),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Known()


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
