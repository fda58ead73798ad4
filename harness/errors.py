"""Say whose fault it was: every exception of the harness, in one tree.

::

    HarnessError
    ├── InputError          the scenario or the command line is wrong        exit status 2
    │   └── ScenarioError   … with file, line and column of every problem
    ├── Unsupported         this machine cannot run it; says what could      verdict UNSUPPORTED
    ├── EvidenceLost        what happened can no longer be known             verdict INCONCLUSIVE
    ├── HostError           the machine under us failed                      verdict ERROR, exit status 4
    │   └── LaunchError     QEMU did not start; carries argv and its stderr
    └── HarnessBug          we are wrong

What a guest does is never an exception: a guest that panics is an outcome
(:mod:`harness.classify.outcome`). Exceptions take typed arguments and build their own text.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "EvidenceLost",
    "HarnessBug",
    "HarnessError",
    "HostError",
    "InputError",
    "LaunchError",
    "Problem",
    "ScenarioError",
    "Unsupported",
]


class HarnessError(Exception):
    """Be the root of every error that the harness raises on purpose."""


class InputError(HarnessError):
    """Refuse what the user gave; the text says what was meant instead."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Point at one mistake in a file.

    ``line`` and ``column`` count from 1; None means that the whole file is meant (missing, unreadable).
    """

    file: str
    line: int | None
    column: int | None
    what: str

    def __str__(self) -> str:
        """Render as ``file:line:column: what``."""
        where = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.what}"


class ScenarioError(InputError):
    """List every problem of the scenario files, never only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Take at least one problem."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unsupported(HarnessError):
    """State that this machine cannot run something, and what could."""

    def __init__(self, reason: str, would_do: str | None = None) -> None:
        """Take the reason, and what would make it possible (None: nothing known)."""
        self.reason = reason
        self.would_do = would_do
        super().__init__(reason if would_do is None else f"{reason} ({would_do})")


class EvidenceLost(HarnessError):
    """State that a part of the evidence is missing, so that no verdict may rest on it."""


class HostError(HarnessError):
    """Report a fault of the machine that runs QEMU, not of what is tested."""


class LaunchError(HostError):
    """Report a QEMU that did not start, with all that is needed to see why by hand."""

    def __init__(self, argv: Sequence[str], status: str, stderr: str) -> None:
        """Take a command line that can be pasted into a shell, how QEMU ended, and what it said."""
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        said = stderr.strip() or "(nothing on standard error)"
        super().__init__(f"QEMU did not start: {status}\n{said}\nTo try it by hand:\n  {shlex.join(self.argv)}")


class HarnessBug(HarnessError):
    """Report a state that our own code promised could not be."""
