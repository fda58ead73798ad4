"""Write a setting as plain values, in the keys and units of a scenario file, and read it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from harness.errors import Problem, ScenarioError
from harness.scenario.base import Keyed, Model
from harness.scenario.expectation import Expectation
from harness.scenario.nodes import ListNode, MappingNode, Mark, Node, ScalarNode
from harness.scenario.resolve import resolve
from harness.scenario.setting import Setting
from harness.units import exact_duration

__all__ = ["dump_setting", "load_setting"]


def dump_setting(setting: Setting) -> dict[str, JsonValue]:
    """Return ``setting`` as JSON can hold it, defaults included, so that a later default changes no stored boot."""
    return {
        "machine": _dump(setting.machine),
        "guest": _dump(setting.guest),
        "payload": _dump(setting.payload),
        "snp": _dump(setting.snp),
        "perturb": _dump(setting.perturb),
        "svsm": _dump(setting.svsm),
        "trace": _dump(setting.trace),
        "host": _dump(setting.host),
        "steps": _entries(setting.steps),
        "expect": _entries(setting.expect),
        "timeout": exact_duration(setting.timeout_s),
        "stability": _dump(setting.stability),
    }


def load_setting(stored: Mapping[str, JsonValue], *, checks: Mapping[str, type[Expectation]]) -> Setting:
    """Return the setting that :func:`dump_setting` wrote; equal to the one it was given.

    :raise ScenarioError: when ``stored`` does not fit today's models: another version wrote it, or it was edited.
    """
    problems: list[Problem] = []
    tree = _node(dict(stored), Mark("stored setting", None, None))
    assert isinstance(tree, MappingNode)
    setting = resolve(tree, checks, problems)
    if setting is None:
        raise ScenarioError(problems)
    return setting


def _dump(model: Model | None) -> JsonValue:
    dumped: JsonValue = None if model is None else model.model_dump(mode="json", by_alias=True)
    return dumped


def _entries(entries: Sequence[Keyed]) -> JsonValue:
    return [{entry.key: _dump(entry)} for entry in entries]


# Numbers outside YAML's range cannot come from a scenario, so any JSON value will do as it is.
def _node(value: JsonValue, mark: Mark) -> Node:
    if isinstance(value, dict):
        return MappingNode(
            tuple((ScalarNode(key, key, mark), _node(inner, mark)) for key, inner in value.items()), mark
        )
    if isinstance(value, list):
        return ListNode(tuple(_node(item, mark) for item in value), mark)
    return ScalarNode(value, str(value), mark, unquoted=not isinstance(value, str))
