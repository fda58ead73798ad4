"""Read lists whose entries are mappings of one key: steps and expectations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.errors import Problem
from harness.scenario.base import Keyed
from harness.scenario.nodes import ListNode, MappingNode, Mark, Node, ScalarNode, describe
from harness.scenario.suggest import did_you_mean, listed
from harness.scenario.validate import validate

__all__ = ["Entry", "read_entries"]

K = TypeVar("K", bound=Keyed)


@dataclass(frozen=True, slots=True)
class Entry(Generic[K]):
    """Hold one entry that is valid, and where it stands."""

    value: K
    body: Node
    mark: Mark


def read_entries(
    node: Node | None, kinds: Mapping[str, type[K]], section: str, problems: list[Problem]
) -> tuple[Entry[K], ...]:
    """Return the valid entries of ``node`` (None: there are none); what is wrong goes to ``problems``.

    ``kinds`` has the model for each key; ``section`` (``steps``) is for messages.
    """
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return ()
    if not isinstance(node, ListNode):
        problems.append(node.mark.problem(f"{section} must be a list, each entry of the form - key: {{…}}"))
        return ()
    entries = (_entry(item, kinds, f"{section}[{at}]", problems) for at, item in enumerate(node.items, 1))
    return tuple(entry for entry in entries if entry is not None)


def _entry(item: Node, kinds: Mapping[str, type[K]], where: str, problems: list[Problem]) -> Entry[K] | None:
    if not isinstance(item, MappingNode):
        written = item.text if isinstance(item, ScalarNode) else ""
        instead = f"; write - {written}: {{…}}" if written in kinds else ""
        problems.append(item.mark.problem(f"{where} must be a mapping of one key, not {describe(item)}{instead}"))
        return None
    if len(item.items) != 1:
        keys = [key.text for key, _ in item.items]
        hint = f"; indent what belongs to {keys[0]!r} further" if keys and keys[0] in kinds else ""
        problems.append(item.mark.problem(f"{where} must have one key, not {listed(map(repr, keys)) or 'none'}{hint}"))
        return None
    ((key, body),) = item.items
    kind = kinds.get(key.text)
    if kind is None:
        problems.append(
            key.mark.problem(
                f"unknown key {key.text!r} in {where}{did_you_mean(key.text, kinds)}; allowed: {listed(kinds)}"
            )
        )
        return None
    if not isinstance(body, MappingNode):
        if isinstance(body, ScalarNode) and body.value is None:
            body = MappingNode((), key.mark)
        elif kind.scalar_field is not None:
            field = ScalarNode(kind.scalar_field, kind.scalar_field, body.mark)
            body = MappingNode(((field, body),), body.mark)
    value = validate(kind, body, f"{where}.{key.text}", problems)
    return None if value is None else Entry(value, body, key.mark)
