"""``host_log``: what the host's kernel must and must not have said while the guest ran, and its taint.

That the host's own kernel broke is judged for every boot under KVM, without this check (:mod:`harness.checks.judge`).
"""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from harness.checks.base import Check, Evidence, Verdict
from harness.evidence.host_log import taint_letters
from harness.scenario.quantities import RegexText

__all__ = ["HostLogCheck"]


class HostLogCheck(Check):
    """Expect text in the host's kernel log, or its absence, and an unchanged taint."""

    key: ClassVar[str] = "host_log"
    rests_on: ClassVar[frozenset[str]] = frozenset({"host_log"})
    contains: tuple[RegexText, ...] = Field(default=(), description="Each must match somewhere in the new lines.")
    lacks: tuple[RegexText, ...] = Field(default=(), description="None may match anywhere in the new lines.")
    taint_may_change: bool = Field(default=False, description="Let the kernel's taint change.")

    def find(self, evidence: Evidence) -> Verdict:
        """Search the lines that came while the guest ran."""
        host = evidence.facts.host
        if host is None or host.log is None:
            return self.unsupported("the host's kernel log is read for guests under KVM only, and this ran without")
        text = "\n".join(host.log.lines)
        for pattern in self.contains:
            if not re.search(pattern, text, re.MULTILINE):
                return self.failed(f"no match of {pattern!r} in {len(host.log.lines)} new lines of host {host.name}")
        for pattern in self.lacks:
            if match := re.search(f".*(?:{pattern}).*", text, re.MULTILINE):
                return self.failed(f"host {host.name}: {match.group()[:200]!r} matches {pattern!r}")
        added = host.log.taint_added
        if added and not self.taint_may_change:
            return self.failed(f"the taint of host {host.name} grew by {taint_letters(added)} while the guest ran")
        return self.passed(
            f"{len(host.log.lines)} new lines of host {host.name}, taint unchanged"
            if not added
            else f"{len(host.log.lines)} new lines of host {host.name}, taint grew by {taint_letters(added)}"
        )
