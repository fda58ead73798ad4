"""Run a program to its end, timed, so that nothing of it is left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BenchError", "Ended", "children_cpu_s", "finish", "run", "running"]

# Far beyond what any of the programs takes; a hang must not be waited for until somebody notices.
_LIMIT_S = 300.0


class BenchError(Exception):
    """Say why a figure cannot be measured: a tool is missing, or a program failed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Hold what a program printed on both its outputs, and the seconds from before its start to after its end.

    ``cpu_s`` is what it and its children used; other work on the machine changes it far less than ``took_s``. Only for
    programs that run one at a time.
    """

    out: str
    errors: str
    took_s: float
    cpu_s: float


@contextmanager
def running(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Yield a program that runs in a process group of its own; the whole group is gone afterwards.

    :raise BenchError: if it cannot be started.
    """
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchError(f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, good: Container[int] = (0,)) -> Ended:
    """Run a program that must end with one of the ``good`` statuses.

    :raise BenchError: with the end of what it said, if it cannot be started, fails, or hangs.
    """
    begin_s = time.monotonic()
    with running(argv, cwd, env) as process:
        return finish(process, argv[0], begin_s, good)


def finish(process: subprocess.Popen[str], name: str, begin_s: float, good: Container[int] = (0,)) -> Ended:
    """Wait for a program that began at ``begin_s`` on the monotonic clock and must end with a ``good`` status.

    :raise BenchError: as :func:`run`.
    """
    cpu_before_s = children_cpu_s()
    try:
        out, errors = process.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{name} did not end within {_LIMIT_S:g} s") from error
    took_s = time.monotonic() - begin_s
    if process.returncode not in good:
        said = "\n".join((errors.strip() or out.strip()).splitlines()[-8:])
        raise BenchError(f"{name} ended with status {process.returncode}: {said}")
    return Ended(out, errors, took_s, children_cpu_s() - cpu_before_s)


def children_cpu_s() -> float:
    """Return the CPU seconds of children that have ended and were waited for, theirs included (getrusage(2))."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
