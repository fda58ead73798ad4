"""Hold a parsed file as a tree in which every value knows where it was written.

Merging, substituting and matrix expansion make new trees out of old nodes, so a value keeps the position of the line
that supplied it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import Problem

__all__ = [
    "ListNode",
    "MappingNode",
    "Mark",
    "Node",
    "Plain",
    "Scalar",
    "ScalarNode",
    "at_mark",
    "describe",
    "locate",
    "plain",
]

#: A value that a scalar of the file can have.
Scalar = str | int | float | bool | None

#: What JSON can hold.
Plain = Scalar | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Name a place; ``line`` and ``column`` count from 1, None means the whole of ``file`` (a command-line option)."""

    file: str
    line: int | None
    column: int | None

    def problem(self, what: str) -> Problem:
        """Make a problem at this place."""
        return Problem(self.file, self.line, self.column, what)


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """Hold one scalar: its value, the text it was written as, and whether it was without quotes.

    ``retyped`` is True for text from a variable that looked like a number, true, false or null: where text is needed,
    it still is text.
    """

    value: Scalar
    text: str
    mark: Mark
    unquoted: bool = True
    retyped: bool = False


@dataclass(frozen=True, slots=True)
class ListNode:
    """Hold a list."""

    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Hold a mapping in the order of the file; no key occurs twice."""

    items: tuple[tuple[ScalarNode, Node], ...]
    mark: Mark

    def get(self, key: str) -> Node | None:
        """Return the value of ``key``; None if it is not there."""
        return next((value for name, value in self.items if name.text == key), None)

    def key(self, key: str) -> ScalarNode | None:
        """Return the node of the key itself; None if it is not there."""
        return next((name for name, _ in self.items if name.text == key), None)

    def without(self, *keys: str) -> MappingNode:
        """Return the mapping without ``keys``."""
        return MappingNode(tuple(item for item in self.items if item[0].text not in keys), self.mark)


Node = ScalarNode | ListNode | MappingNode


def plain(node: Node) -> Plain:
    """Return the value without positions, as JSON would hold it; keys are text."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.items}


def at_mark(node: Node, mark: Mark) -> Node:
    """Return the same value as if all of it stood at ``mark``: what a command-line option gives has no lines."""
    if isinstance(node, ListNode):
        return ListNode(tuple(at_mark(item, mark) for item in node.items), mark)
    if isinstance(node, MappingNode):
        return MappingNode(tuple((replace(key, mark=mark), at_mark(value, mark)) for key, value in node.items), mark)
    return replace(node, mark=mark)


def describe(node: Node) -> str:
    """Name what stands there, for a message: ``the text 'x'``, ``3``, ``a list``, ``nothing``."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, str):
        return f"the text {node.value!r}" if len(node.value) <= 60 else f"the text {node.value[:57] + '...'!r}"
    return node.text


def locate(node: Node, path: Sequence[str | int], *, key: bool = False) -> tuple[Mark, Node]:
    """Walk ``path`` and return the place and the node there, or the deepest one that exists.

    With ``key``, the place is the last key itself rather than its value. Parts of the path that name nothing in the
    tree are skipped: pydantic adds the member of a union to its paths.
    """
    mark = node.mark
    for part in path:
        if isinstance(node, MappingNode):
            found = next(((name, value) for name, value in node.items if name.text == str(part)), None)
            if found is not None:
                mark, node = (found[0].mark if key else found[1].mark), found[1]
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            mark = node.mark
    return mark, node
