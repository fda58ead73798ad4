"""Lay one tree over another; every value keeps the position of the line that supplied it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.scenario.nodes import MappingNode, Node, ScalarNode

__all__ = ["merge", "put"]


def merge(base: MappingNode, over: MappingNode) -> MappingNode:
    """Return ``base`` with ``over`` on top: mappings merge key by key, everything else (lists too) replaces."""
    laid = {key.text: (key, value) for key, value in base.items}
    for key, value in over.items:
        below = laid.get(key.text)
        if below is not None and isinstance(below[1], MappingNode) and isinstance(value, MappingNode):
            laid[key.text] = (key, merge(below[1], value))
        else:
            laid[key.text] = (key, value)
    return MappingNode(tuple(laid.values()), over.mark if not base.items else base.mark)


def put(base: MappingNode, path: Sequence[str], value: Node) -> MappingNode:
    """Return ``base`` with ``value`` at ``path``; what is on the way and no mapping becomes one."""
    for part in reversed(path):
        value = MappingNode(((ScalarNode(part, part, value.mark), value),), value.mark)
    return merge(base, value) if isinstance(value, MappingNode) else base
