from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from harness.scenario.steps import STEPS, DownloadStep, GuestStep, QmpStep, StimulusStep, UploadStep, WaitStep


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("qmp", {"execute": "human-monitor-command", "arguments": {"command-line": "info lapic"}, "repeat": 3}),
        ("qmp", {"execute": "x-query-irq", "paced_by": {"source": "NMI", "each": 1}}),
        ("guest", {"run": "true"}),
        ("guest", {"run": "true", "status": "any", "within": "5s", "name": "quiet_1"}),
        ("guest", {"run": "false", "status": 255}),
        ("wait", {"console": "a|b"}),
        ("wait", {"event": "SHUTDOWN"}),
        ("wait", {"milestone": "ready"}),
        ("wait", {"interrupts": {"source": "i8042", "increase": 2}}),
        ("upload", {"from": "a b", "to": "/x", "mode": "0755"}),
        ("download", {"from": "/x", "to": "x.txt"}),
        ("sleep", {"settle": "0.02s", "why": "No event."}),
        ("tpm_commands", {"count": 1000}),
        ("tsm_reports", {"count": 5, "service_provider": "svsm"}),
        ("cpu_offline_online", {"count": 5, "cpu": 3}),
    ],
)
def test_what_is_a_step(key: str, body: dict[str, object]) -> None:
    step = STEPS[key].model_validate_json(json.dumps(body))
    dumped = step.model_dump(mode="json", by_alias=True)
    assert {name: dumped[name] for name in body} == body
    assert STEPS[key].model_validate_json(json.dumps(dumped)) == step


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("qmp", {"execute": "a b"}),
        ("qmp", {"execute": "stop", "repeat": 0}),
        ("qmp", {"execute": "stop", "paced_by": {"source": "NMI", "each": 0}}),
        ("guest", {"run": ""}),
        ("guest", {"run": "x", "status": 256}),
        ("guest", {"run": "x", "status": True}),
        ("guest", {"run": "x", "name": "a b"}),
        ("wait", {}),
        ("wait", {"event": "shutdown"}),
        ("wait", {"event": "A", "milestone": "ready"}),
        ("upload", {"from": "a", "to": "x"}),
        ("upload", {"from": "a", "to": "/x", "mode": "0999"}),
        ("download", {"from": "/x", "to": "a/b"}),
        ("download", {"from": "/x", "to": ".."}),
        ("download", {"from": "x", "to": "b"}),
        ("sleep", {"settle": "1s"}),
        ("sleep", {"settle": "1s", "why": ""}),
    ],
)
def test_what_is_no_step(key: str, body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        STEPS[key].model_validate_json(json.dumps(body))


def test_steps_can_be_made_in_python() -> None:
    assert UploadStep(from_path="a", to="/b").mode == "0644"
    assert DownloadStep(from_path="/a", to="b").from_path == "/a"
    assert GuestStep(run="x", within=5.0).within == 5.0
    assert QmpStep(execute="stop").repeat == 1
    assert WaitStep(event="STOP").key == "wait"


@pytest.mark.parametrize(
    ("key", "body", "arguments"),
    [
        ("tpm_commands", {"count": 7}, "tpm 7"),
        ("tsm_reports", {"count": 7}, "reports 7"),
        ("tsm_reports", {"count": 7, "service_provider": "svsm"}, "reports 7 svsm"),
        ("cpu_offline_online", {"count": 7}, "cpu 7 1"),
        ("cpu_offline_online", {"count": 7, "cpu": 2}, "cpu 7 2"),
    ],
)
def test_what_the_tool_in_the_guest_is_told(key: str, body: dict[str, object], arguments: str) -> None:
    step = STEPS[key].model_validate(body)
    assert isinstance(step, StimulusStep) and step.arguments == arguments
