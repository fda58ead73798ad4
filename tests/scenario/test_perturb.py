from __future__ import annotations

import pytest

from harness.checks import all_checks
from harness.errors import ScenarioError
from harness.scenario.load import load_scenario
from harness.scenario.perturb import Perturb
from harness.scenario.setting import Setting
from harness.scenario.stored import dump_setting, load_setting

TEXT = "name: p\nabout: It is perturbed.\nplatforms: {tcg: }\n"


def _load(text: str, **values: str) -> Setting:
    given = {f"perturb.{key}": value for key, value in values.items()}
    scenario = load_scenario(text, "p.yaml", checks=all_checks(), set_values=given, environment={})
    return scenario.variants[0].platforms[0][1]


def test_a_section_is_read_and_stored() -> None:
    setting = _load(TEXT + "perturb: {pause: 20ms, memory: 64M, seed: 7}\n")
    assert setting.perturb == Perturb(seed=7, pause=0.02, memory=64 << 20)
    assert load_setting(dump_setting(setting), checks=all_checks()) == setting


def test_it_can_be_set_where_the_scenario_has_no_such_section() -> None:
    assert _load(TEXT).perturb is None
    assert _load(TEXT, cpus="1", pause="5ms").perturb == Perturb(cpus=1, pause=0.005)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{}", "perturb does nothing"),
        ("{seed: 3}", "perturb does nothing"),
        ("{pause: 20}", "no unit"),
        ("{cpus: 0}", "at least 1"),
        ("{pauses: 20ms}", "unknown key 'pauses' in perturb"),
        ("{device: -device x}", "device"),
    ],
)
def test_what_cannot_be_meant_is_refused(section: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        _load(TEXT + f"perturb: {section}\n")
