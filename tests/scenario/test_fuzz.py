"""Loading raises nothing but ScenarioError, and every problem lies inside the file."""

from __future__ import annotations

import re

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.scenario import dump_setting, load_scenario, load_setting
from harness.scenario.load import KEYS
from harness.scenario.model import Guest, Machine, Payload, Platform, Stability
from harness.scenario.steps import STEPS

from .sample import CHECKS, RICH

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def check(text: str, set_values: dict[str, str]) -> None:
    try:
        scenario = load_scenario(text, "s.yaml", checks=CHECKS, set_values=set_values, environment={"HOME": "/root"})
    except ScenarioError as error:
        lines = LINE_BREAK.split(text)
        assert error.problems
        assert len(set(error.problems)) == len(error.problems)
        for problem in error.problems:
            if problem.file != "s.yaml":
                assert problem.file.startswith("--set ")
                continue
            assert problem.line is not None
            assert problem.column is not None
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
            assert problem.what
        return
    assert scenario.variants
    assert len({variant.slug for variant in scenario.variants}) == len(scenario.variants)
    for variant in scenario.variants:
        assert variant.platforms
        for _, setting in variant.platforms:
            assert (setting.guest is None) != (setting.payload is None)
            assert len({step.name for step in setting.steps}) == len(setting.steps)
            assert load_setting(dump_setting(setting), checks=CHECKS) == setting


SCALARS = st.sampled_from(
    [None, True, 0, 1, -1, 300, 1.5, "", "x", "q35", "microvm", "512M", "60s", "5%", "vmpl_model", "${x}", "${HOME}",
     "${x:-1}", "$${x}", "a b", "off", "010", "(", "/a", "any", "ready", "tcg", "e1000", "e=1,f", "vcpus", "keys"]
)  # fmt: skip
FIELDS = sorted(
    {
        *KEYS,
        *STEPS,
        *CHECKS,
        *(grade.value for grade in Platform),
        "exclude",
        "include",
        "from",
        "x",
        "source",
        "each",
        "per_cpu",
        "during",
    }.union(*(model.model_fields for model in (Machine, Guest, Payload, Stability, *STEPS.values())))
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
SETS = st.dictionaries(
    st.sampled_from(["x", "vcpus", "machine.cpu", "machine.vcpus", "guest.append", "payload", "timeout", "how", "a.b"]),
    st.sampled_from(["", "1", "q35", "x y", "off", "/a[1]", "60s", "${x}"]),
    max_size=2,
)


@given(st.text(max_size=60), SETS)
def test_any_text(text: str, set_values: dict[str, str]) -> None:
    check(text, set_values)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6), SETS)
def test_any_values_under_known_keys(document: dict[str, object], set_values: dict[str, str]) -> None:
    check(yaml.safe_dump({"name": "x", "about": "Why.", **document}), set_values)


@settings(max_examples=400, deadline=None)
@given(st.data(), SETS)
def test_a_damaged_scenario(data: st.DataObject, set_values: dict[str, str]) -> None:
    text = RICH
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        put = data.draw(
            st.sampled_from(["", " ", "\n", ":", "- ", "0", "x", "{", "]", "'", "off", "${x}", "~", "*a", "\t"])
        )
        text = text[:start] + put + text[end:]
    check(text, set_values)
