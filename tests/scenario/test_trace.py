"""What a scenario asks to be traced."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.checks import all_checks
from harness.scenario.load import load_scenario
from harness.scenario.setting import Setting
from harness.scenario.stored import dump_setting, load_setting
from harness.scenario.trace import Trace

TEXT = "name: a\nabout: b.\nplatforms: {kvm: {}}\n"


def setting(more: str, **values: str) -> Setting:
    scenario = load_scenario(TEXT + more, "a.yaml", checks=all_checks(), set_values=values, environment={})
    return scenario.variants[0].platforms[0][1]


def test_the_section_reads_back_as_it_was_and_can_be_set() -> None:
    found = setting("trace: {events: [kvm_exit, 'sched:sched_switch'], buffer: 16M}\n")
    assert found.trace == Trace(events=("kvm_exit", "sched:sched_switch"), buffer=16 << 20)
    assert load_setting(dump_setting(found), checks=all_checks()) == found
    assert setting("").trace is None
    default = setting("trace: {}\n")
    assert default.trace == Trace() and default.trace.buffer is None
    assert load_setting(dump_setting(default), checks=all_checks()) == default
    larger = setting("trace: {}\n", **{"trace.buffer": "64M"})
    assert larger.trace is not None and larger.trace.buffer == 64 << 20


@pytest.mark.parametrize("bad", [{"events": ("kvm exit",)}, {"events": ("../x",)}, {"buffer": 1}])
def test_what_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trace(**bad)  # type: ignore[arg-type]
