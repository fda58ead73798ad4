from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import event, expect, lost

from harness.checks.base import Status
from harness.checks.qmp_events import QmpEventsCheck

EVENTS = (
    event("RESUME"),
    event("SHUTDOWN", guest=True, reason="guest-shutdown"),
    event("SHUTDOWN", guest=False, reason="host-qmp-quit"),
    event("POWERDOWN"),
)


def _check(name: str, **fields: Any) -> QmpEventsCheck:
    return QmpEventsCheck(event=name, **fields)


@pytest.mark.parametrize(
    ("check", "status", "operands"),
    [
        (_check("POWERDOWN"), Status.PASS, ["1 of POWERDOWN, expected 1"]),
        (_check("STOP"), Status.FAIL, ["0 of STOP, expected 1"]),
        (_check("STOP", count=0), Status.PASS, []),
        (_check("RESUME", count=0), Status.FAIL, ["1 of RESUME, expected 0"]),
        (_check("SHUTDOWN"), Status.FAIL, ["2 of SHUTDOWN, expected 1"]),
        (_check("SHUTDOWN", count=2), Status.PASS, []),
        (_check("SHUTDOWN", data={"guest": True}), Status.PASS, ['1 of SHUTDOWN with {"guest": true} (of 2)']),
        (_check("SHUTDOWN", data={"guest": True, "reason": "guest-reset"}), Status.FAIL, ["guest-reset", "(of 2)"]),
        (_check("SHUTDOWN", data={"absent": None}, count=0), Status.FAIL, []),
    ],
)
def test_events_are_counted(check: QmpEventsCheck, status: Status, operands: list[str]) -> None:
    expect(check, status, *operands, events=EVENTS)


def test_a_cut_journal_proves_nothing() -> None:
    expect(_check("POWERDOWN"), Status.INCONCLUSIVE, "qmp: ", events=EVENTS, losses=lost("qmp"))
    expect(_check("STOP"), Status.FAIL, events=EVENTS, losses=lost("console"))


@pytest.mark.parametrize("bad", [{}, {"event": "shutdown"}, {"event": "STOP", "count": -1}])
def test_what_is_refused_at_loading(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QmpEventsCheck.model_validate(bad)
