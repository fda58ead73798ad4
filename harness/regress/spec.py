"""Keep in ``run.json`` what a bisection asks, so that it goes on as it began."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.errors import InputError
from harness.regress.journal import Recorded
from harness.regress.kernel_value import HOST_KEYS
from harness.results.store import Run, read_about
from harness.scenario.model import Platform
from harness.stats.bisect_posterior import Tally

__all__ = ["GitSource", "ListSource", "SettingSource", "Spec", "read_spec", "with_spec"]

_KEY = "bisect"


@dataclass(frozen=True, slots=True)
class GitSource:
    """Search the commits of ``repository`` after ``good`` up to ``bad``; both are full hashes.

    ``config_path`` (in the worktree) not None: both are one commit, and what is searched are the differences of the
    kernel configurations ``good.config`` and ``bad.config`` beside the journal, put there for the build.
    """

    repository: str
    good: str
    bad: str
    build: str
    artifact: str
    into: str
    build_limit_s: float
    config_path: str | None = None


@dataclass(frozen=True, slots=True)
class ListSource:
    """Search the values of a variable, from good to bad."""

    variable: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingSource:
    """Search what differs between two settings."""

    good: Mapping[str, str]
    bad: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Spec:
    """Fix a bisection before its first boot. Rates are fractions of 1; at least one source is given.

    Several are components: which of them carries the failure is searched first, then where in it.
    ``host`` is where boots are made, as ``--host`` has it. ``recorded`` are boots of an end (each at most once) that
    need not be made.
    """

    scenario: str
    fixed: Mapping[str, str]
    only: tuple[str, ...]
    platform: Platform | None
    signatures: tuple[str, ...]
    confidence: float
    min_rate: float
    max_boots: int | None
    good_end_first: bool
    git: GitSource | None = None
    lists: tuple[ListSource, ...] = ()
    setting: SettingSource | None = None
    host: str = "local"
    recorded: tuple[Recorded, ...] = ()

    @property
    def sources(self) -> tuple[GitSource | ListSource | SettingSource, ...]:
        """Return all that is searched."""
        return tuple(source for source in (self.git, *self.lists, self.setting) if source is not None)

    def known_ends(self, candidates: int) -> dict[int, Tally]:
        """Return the boots of both ends that earlier runs recorded, by position."""
        return {0 if one.end == "good" else candidates: one.tally for one in self.recorded}

    @property
    def switching(self) -> bool:
        """Tell whether positions differ in the kernel that the host runs."""
        keys = {self.git.into} if self.git is not None else set[str]()
        keys |= {one.variable for one in self.lists}
        keys |= {*self.setting.good, *self.setting.bad} if self.setting is not None else set()
        return not keys.isdisjoint(HOST_KEYS)


_spec_json: TypeAdapter[Spec] = TypeAdapter(Spec)


def with_spec(about: Mapping[str, object], spec: Spec) -> Mapping[str, object]:
    """Return what ``run.json`` holds of a bisection."""
    return {**about, _KEY: _spec_json.dump_python(spec, mode="json")}


def read_spec(run: Run) -> Spec:
    """Read what a recorded bisection asks.

    :raise InputError: if the run is no bisection, or another version of the harness wrote it.
    """
    about = read_about(run)
    if _KEY not in about:
        raise InputError(f"{run.folder} is no bisection; `svsm-harness bisect SCENARIO …` starts one")
    try:
        spec = _spec_json.validate_json(json.dumps(about[_KEY]))
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise InputError(f"{Path(run.folder) / 'run.json'}: {what}; another version of the harness wrote it") from error
    if not spec.sources:
        raise InputError(f"{Path(run.folder) / 'run.json'}: nothing to search; another version of the harness wrote it")
    return spec
