"""Keep a named run as the baseline that later runs are compared with: a small file that git tracks.

``results/baselines/NAME.json`` holds what a comparison needs and nothing else, so that it outlives the run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.checks.base import Status, worst
from harness.clock import utc_now
from harness.errors import InputError
from harness.evidence.startup import phases
from harness.history.measure import Measures
from harness.history.recorded import RecordedRun
from harness.history.tally import Group, group_runs, kind_of
from harness.results.files import cannot_write, write_whole

__all__ = [
    "DEFAULT",
    "Baseline",
    "BaselineGroup",
    "find_baseline",
    "list_baselines",
    "make_baseline",
    "measured_of",
    "phase_times_s",
    "switches_per_call",
    "write_baseline",
]

#: The baseline that is used where none is named.
DEFAULT = "main"

# Enough to compare two distributions by ranks, little enough for a file in git.
_MOST_TIMES = 40
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class BaselineGroup:
    """Hold one scenario on one grade.

    ``variants`` maps each to its worst status, ``signatures`` what did not pass to how often. ``phases_s`` are the
    durations of each phase of start-up, ``per_call`` the switches of each direction for each SVSM call: both sorted,
    evenly thinned out to at most 40.
    """

    scenario: str
    grade: str
    good: int
    bad: int
    lost: int
    variants: Mapping[str, Status]
    signatures: Mapping[str, int]
    phases_s: Mapping[str, tuple[float, ...]]
    per_call: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Hold a baseline; ``runs`` are the names of the runs that it was made from."""

    name: str
    made_utc: str
    runs: tuple[str, ...]
    started_utc: str
    harness: str
    host: str
    groups: tuple[BaselineGroup, ...]

    def find(self, scenario: str, grade: str) -> BaselineGroup | None:
        """Return the group; None if the baseline has no such boots."""
        return next((g for g in self.groups if g.scenario == scenario and g.grade == grade), None)


_baseline_json: TypeAdapter[Baseline] = TypeAdapter(Baseline)


def make_baseline(name: str, runs: Sequence[RecordedRun], measures: Mapping[str, Mapping[str, Measures]]) -> Baseline:
    """Sum up ``runs``; ``measures`` are by run and folder, as far as there are any.

    :raise InputError: if the name will not do for a file, or no boot of the runs came to its end.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a baseline: use letters, digits, dot, dash and underscore")
    groups = group_runs(runs)
    if not groups:
        raise InputError("no boot of these runs came to its end: nothing to compare with later")
    return Baseline(
        name=name,
        made_utc=utc_now().isoformat(timespec="seconds"),
        runs=tuple(run.name for run in runs),
        started_utc=min(run.started_utc for run in runs),
        harness=runs[0].harness,
        host=runs[0].host,
        groups=tuple(_sum_up(group, measured_of(group, measures)) for group in groups),
    )


def measured_of(group: Group, measures: Mapping[str, Mapping[str, Measures]]) -> tuple[Measures, ...]:
    """Return the measures of a group's boots, as far as there are any; ``measures`` are by run and folder."""
    found = (measures.get(boot.run, {}).get(boot.line.folder or "") for boot in group.boots)
    return tuple(measured for measured in found if measured is not None)


def phase_times_s(measured: Sequence[Measures]) -> Mapping[str, tuple[float, ...]]:
    """Return the durations of each phase, in the order of the first boot that has it; sorted within a phase."""
    found: dict[str, list[float]] = {}
    for boot in measured:
        for phase in phases(boot.marks):
            found.setdefault(phase.name, []).append(phase.duration_s)
    return {name: tuple(sorted(times)) for name, times in found.items()}


def switches_per_call(measured: Sequence[Measures]) -> Mapping[str, tuple[float, ...]]:
    """Return completed switches for each SVSM call, by direction, one number a boot that made calls; sorted."""
    found: dict[str, list[float]] = {}
    for boot in measured:
        if boot.calls and boot.switches is not None:
            for count in boot.switches:
                key = f"VMPL{count.from_vmpl} to VMPL{count.to_vmpl}"
                found.setdefault(key, []).append(count.completed / boot.calls)
    return {key: tuple(sorted(numbers)) for key, numbers in found.items()}


def write_baseline(results: Path, baseline: Baseline) -> Path:
    """Write ``results/baselines/NAME.json`` and return its path; one of the same name is replaced.

    :raise HostError: if it cannot be written.
    """
    path = _path(results, baseline.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    write_whole(path, _baseline_json.dump_json(baseline, indent=1) + b"\n")
    return path


def find_baseline(results: Path, name: str | None) -> Baseline | None:
    """Read a baseline; ``name`` None means the default one, and then None is returned if there is none.

    :raise InputError: if a named one is not there, or it is damaged.
    """
    path = _path(results, name or DEFAULT)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if name is None:
            return None
        known = ", ".join(list_baselines(results)) or "none yet"
        raise InputError(f"there is no baseline {name} under {path.parent}; there are: {known}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    try:
        return _baseline_json.validate_json(data)
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise InputError(f"{path}: {what}; make it again with svsm-harness history --set-baseline") from error


def list_baselines(results: Path) -> tuple[str, ...]:
    """Return the names of all baselines."""
    return tuple(sorted(path.stem for path in (results / "baselines").glob("*.json")))


def _path(results: Path, name: str) -> Path:
    return results / "baselines" / f"{name}.json"


def _sum_up(group: Group, measured: Sequence[Measures]) -> BaselineGroup:
    kinds = Counter(
        kind_of(boot.line) for boot in group.boots if boot.line.status not in (Status.PASS, Status.UNSUPPORTED)
    )
    return BaselineGroup(
        scenario=group.scenario,
        grade=group.grade,
        good=group.good,
        bad=group.bad,
        lost=group.lost,
        variants={
            variant: worst([boot.line.status for boot in boots]) for variant, boots in group.by_variant().items()
        },
        signatures=dict(kinds.most_common()),
        phases_s={name: _thin(times) for name, times in phase_times_s(measured).items()},
        per_call={key: _thin(numbers) for key, numbers in switches_per_call(measured).items()},
    )


def _thin(ordered: Sequence[float]) -> tuple[float, ...]:
    step = max(1.0, len(ordered) / _MOST_TIMES)
    chosen = [ordered[int(index * step)] for index in range(min(len(ordered), _MOST_TIMES))]
    return tuple(round(number, 6) for number in chosen)
