"""Read what a pool shall do: a file of jobs, each one command of the harness; pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from harness.errors import InputError

__all__ = ["Job", "parse_jobs"]

_KEYS = ("name", "run", "host", "exclusive", "priority")
_OURS = ("--host", "--results", "--format", "--parallel", "-n")
# Those that take --host.
_COMMANDS = ("run", "stability", "compare")


@dataclass(frozen=True, slots=True)
class Job:
    """Be one command on one host.

    ``words`` follow ``svsm-harness``. ``host`` None means any. An ``exclusive`` job, such as one that changes the
    host's kernel, is alone on its host. Of those that wait, the higher ``priority`` goes first.
    """

    name: str
    words: tuple[str, ...]
    host: str | None = None
    exclusive: bool = False
    priority: int = 0


def parse_jobs(text: str, file: str) -> tuple[Job, ...]:
    """Read a YAML list of jobs: ``{name, run: "run scenarios/vmpl", host, exclusive, priority}``.

    :raise InputError: at the first that is none, or at a name that comes twice.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{file} is no YAML: {error}") from error
    if not isinstance(found, list) or not found:
        raise InputError(f"{file}: write a list of jobs, such as - {{name: vmpl, run: run scenarios/vmpl}}")
    jobs = [_job(entry, f"{file}: job {number}") for number, entry in enumerate(found, start=1)]
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{file}: two jobs are named {name}; what is done already is known by its name")
    return tuple(jobs)


def _job(entry: object, where: str) -> Job:
    if not isinstance(entry, Mapping):
        raise InputError(f"{where} is no mapping with name and run")
    for key in entry:
        if key not in _KEYS:
            raise InputError(f"{where}: unknown key {key!r}; allowed: {', '.join(_KEYS)}")
    name, line, host = entry.get("name"), entry.get("run"), entry.get("host")
    exclusive, priority = entry.get("exclusive", False), entry.get("priority", 0)
    if not isinstance(name, str) or not name or not isinstance(line, str):
        raise InputError(f"{where} needs a name and run, the words that follow svsm-harness")
    words = shlex.split(line)
    if not words or words[0] not in _COMMANDS:
        raise InputError(f"{where}: run must begin with one of {', '.join(_COMMANDS)}")
    if any(word.split("=")[0] in _OURS for word in words):
        raise InputError(f"{where}: the pool says {', '.join(_OURS)} itself; name a host by host:")
    if not (host is None or isinstance(host, str)) or not isinstance(exclusive, bool):
        raise InputError(f"{where}: host is a name, exclusive is true or false")
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise InputError(f"{where}: priority is a whole number; 0 is the nightly's")
    return Job(name, tuple(words), host, exclusive, priority)
