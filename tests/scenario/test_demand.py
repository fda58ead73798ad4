"""What a scenario asks of its host."""

from __future__ import annotations

import pytest

from harness.checks import all_checks
from harness.errors import ScenarioError
from harness.scenario.demand import HostDemand
from harness.scenario.load import load_scenario
from harness.scenario.setting import Setting
from harness.scenario.stored import dump_setting, load_setting

TEXT = "name: a\nabout: b.\nplatforms: {kvm: {}}\n"


def setting(more: str, **values: str) -> Setting:
    scenario = load_scenario(TEXT + more, "a.yaml", checks=all_checks(), set_values=values, environment={})
    return scenario.variants[0].platforms[0][1]


def test_the_section_reads_back_as_it_was_and_can_be_set() -> None:
    found = setting("host: {flavour: planes-v1, kernel: ./bzImage, modules: ./mod}\n")
    assert found.host == HostDemand(flavour="planes-v1", kernel="./bzImage", modules="./mod")
    assert found.host.image == "./bzImage"
    assert load_setting(dump_setting(found), checks=all_checks()) == found
    assert setting("").host is None
    asked = setting("", **{"host.kernel": "7.2.*"}).host
    assert asked is not None
    assert (asked.kernel, asked.image) == ("7.2.*", None)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("host: {flavour: planes}\n", "planes"),
        ("host: {kernel: 7.2.0-svsm, modules: ./mod}\n", "host.modules are those of an image"),
        ("host: {kernl: x}\n", "kernl"),
    ],
)
def test_what_is_wrong_is_told(more: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        setting(more)
