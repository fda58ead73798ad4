from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import GOOD, expect, lost

from harness.checks.base import Status
from harness.checks.startup import StartupCheck
from harness.evidence.records import Mark

PASS, FAIL = Status.PASS, Status.FAIL


def _check(*milestones: str, **fields: Any) -> StartupCheck:
    return StartupCheck(milestones=milestones, **fields)


@pytest.mark.parametrize(
    ("check", "status", "operands"),
    [
        (_check("kernel", "init", "ready"), PASS, ["kernel 600 ms, init 1.9 s, ready 1.5 s"]),
        (_check("ready", within=4.0), PASS, ["ready 4 s"]),
        (_check("ready", within=3.9), FAIL, ["ready after 4 s, not 3.9 s"]),
        (_check("kernel", "ready", budgets={"ready": 3.4}), PASS, []),
        (_check("kernel", "ready", budgets={"ready": 3.3}), FAIL, ["ready took 3.4 s, more than 3.3 s"]),
        (_check("kernel", budgets={"kernel": 0.5}), FAIL, ["kernel took 600 ms, more than 500 ms"]),
        (_check("kernel", "network", "ready"), FAIL, ["network was never reached", "reached: kernel 600 ms"]),
        (_check("svsm"), FAIL, ["svsm was never reached; reached: none"]),
        (_check("init", "kernel"), FAIL, ["kernel came 1.9 s before"]),
    ],
)
def test_milestones_in_order_and_in_time(check: StartupCheck, status: Status, operands: list[str]) -> None:
    expect(check, status, *operands)


def test_a_milestone_seen_twice_counts_where_it_was_seen_first() -> None:
    marks = (*GOOD.marks, Mark("kernel", 30.0))
    expect(_check("kernel", "ready", within=5.0), PASS, marks=marks)


@pytest.mark.parametrize("what", ["console", "firmware"])
def test_a_cut_console_proves_neither(what: str) -> None:
    for check in (_check("kernel"), _check("svsm")):
        expect(check, Status.INCONCLUSIVE, f"{what}: ", losses=lost(what))
        expect(check, PASS if check.milestones == ("kernel",) else FAIL, losses=lost("qmp"))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"milestones": []}, "at least 1 item"),
        ({"milestones": ["kernle"]}, "no milestone 'kernle'; there are svsm"),
        ({"milestones": ["kernel"], "budgets": {"init": "1s"}}, "'init' is not among"),
        ({"milestones": ["kernel"], "within": "0s"}, "more than nothing"),
    ],
)
def test_what_is_refused_at_loading(bad: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        StartupCheck.model_validate(bad, strict=False)
