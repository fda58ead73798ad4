"""``qmp_events``: which asynchronous events QEMU sent, how many, and with what data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, JsonValue

from harness.checks.base import Check, Evidence, Verdict

__all__ = ["QmpEventsCheck"]


class QmpEventsCheck(Check):
    """Expect a number of QMP events."""

    key: ClassVar[str] = "qmp_events"
    rests_on: ClassVar[frozenset[str]] = frozenset({"qmp"})
    event: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="Name of the event.", examples=["SHUTDOWN"])
    data: Mapping[str, JsonValue] = Field(default={}, description="Count only events that have these values.")
    count: int = Field(default=1, ge=0, description="Exactly this many.")

    def find(self, evidence: Evidence) -> Verdict:
        """Count the events whose data has every expected value."""
        named = [json.loads(event.data) for event in evidence.facts.events if event.name == self.event]
        fitting = [data for data in named if all(data.get(key) == value for key, value in self.data.items())]
        said = f"{len(fitting)} of {self.event}"
        if self.data:
            said += f" with {json.dumps(dict(self.data), sort_keys=True)} (of {len(named)})"
        return self.found(len(fitting) == self.count, f"{said}, expected {self.count}")
