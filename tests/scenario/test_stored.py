from __future__ import annotations

import json

import pytest

from harness.errors import ScenarioError
from harness.scenario import Setting, dump_setting, load_setting

from .sample import CHECKS, HEAD, RICH, load

PAYLOAD = (
    HEAD + "payload: {image: vmpl_model, args: {vcpus: 2, quiet: true}, trace: roy}\nsteps: [{wait: {event: RESET}}]\n"
)
AWKWARD = HEAD + "timeout: 0.1s\nmachine: {memory: 3K}\nguest: {append: '$${HOME} off 010'}\n"


def settings(text: str) -> list[Setting]:
    return [setting for variant in load(text).variants for _, setting in variant.platforms]


@pytest.mark.parametrize("text", [HEAD, RICH, PAYLOAD, AWKWARD], ids=["least", "rich", "payload", "awkward"])
def test_a_setting_reads_back_equal(text: str) -> None:
    for setting in settings(text):
        again = load_setting(json.loads(json.dumps(dump_setting(setting))), checks=CHECKS)
        assert again == setting
        assert [type(step) for step in again.steps] == [type(step) for step in setting.steps]


def test_what_is_stored_reads_like_a_scenario() -> None:
    stored = dump_setting(settings(RICH)[0])
    assert stored["machine"]["memory"] == "512M"  # type: ignore[index,call-overload]
    assert stored["timeout"] == "60s"
    assert stored["stability"] == {"boots": 60, "max_failure_rate": "5%", "confidence": "95%"}
    assert stored["steps"][5] == {  # type: ignore[index,call-overload]
        "upload": {"name": "upload", "within": None, "from": "tool", "to": "/bin/tool", "mode": "0755"}
    }
    assert stored["expect"][0] == {"vcpus_online": {"count": 1}}  # type: ignore[index,call-overload]


def test_a_setting_that_no_longer_fits_is_refused() -> None:
    stored = dump_setting(settings(HEAD)[0])
    stored["machine"]["colour"] = "red"  # type: ignore[index,call-overload]
    with pytest.raises(ScenarioError, match="stored setting: unknown key 'colour' in machine"):
        load_setting(stored, checks=CHECKS)
    with pytest.raises(ScenarioError, match="unknown key 'vcpus_online' in expect"):
        load_setting(dump_setting(settings(RICH)[0]), checks={})
