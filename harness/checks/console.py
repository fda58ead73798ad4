"""``console``: what the guest's console must and must not have said."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import Field, model_validator

from harness.checks.base import Check, Evidence, Verdict
from harness.scenario.quantities import ConsolePattern

__all__ = ["ConsoleCheck"]


class ConsoleCheck(Check):
    """Expect text on the console."""

    key: ClassVar[str] = "console"
    rests_on: ClassVar[frozenset[str]] = frozenset({"console"})
    contains: tuple[ConsolePattern, ...] = Field(default=(), description="Each must match somewhere.")
    lacks: tuple[ConsolePattern, ...] = Field(default=(), description="None may match anywhere.")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if not self.contains and not self.lacks:
            raise ValueError("console needs contains or lacks: as it stands, any console would pass")
        return self

    def find(self, evidence: Evidence) -> Verdict:
        """Search the whole log."""
        console = evidence.facts.console
        for pattern in self.contains:
            if not re.search(pattern.encode(), console, re.MULTILINE):
                return self.failed(f"no match of {pattern!r} in {len(console)} bytes")
        for pattern in self.lacks:
            if match := re.search(pattern.encode(), console, re.MULTILINE):
                return self.failed(f"{match.group()[:80].decode(errors='replace')!r} matches {pattern!r}")
        return self.passed(f"{len(self.contains)} found, {len(self.lacks)} absent in {len(console)} bytes")
