"""Read YAML text into nodes with positions, and refuse what would be read differently from what was meant."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from harness.errors import Problem
from harness.scenario.nodes import ListNode, MappingNode, Mark, Node, ScalarNode
from harness.scenario.scalars import Surprise, read_unquoted

__all__ = ["read_source"]

_LARGEST_FILE = 1 << 20
# Aliases multiply; a scenario has hundreds of nodes, ten levels of ten aliases have 10^10.
_MOST_NODES = 20_000
_DEEPEST = 40
# YAML 1.2.2 §5.1, with what libyaml refuses besides.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_HINTS = {
    "mapping values are not allowed": "; quote a text that has ': ' in it, and indent with care",
    "found unexpected end of stream": "; a quote or bracket is not closed",
    "did not find expected ',' or": "; a bracket is not closed, or a text in brackets needs quotes",
    "did not find expected key": "; look at the indentation, and at a text that begins with a quote",
    "did not find expected '-' indicator": "; look at the indentation",
    "found undefined tag handle": "; quote a text that begins with !",
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_source(text: str, file: str, problems: list[Problem]) -> Node | None:
    """Return the tree of ``text``, and append what is wrong with it to ``problems``.

    ``file`` only names the text in problems. None means that no tree could be made; a problem says why.
    """
    if len(text) > _LARGEST_FILE:
        problems.append(
            Mark(file, 1, 1).problem(f"the file has more than {_LARGEST_FILE} characters; is it a scenario?")
        )
        return None
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        mark = _mark_at(text, odd.start(), file)
        problems.append(mark.problem(f"the character U+{ord(odd[0]):04X} is not allowed in YAML"))
        return None
    tree = _Tree(file, problems)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            tree.take(event)
    except yaml.YAMLError as error:
        problems.append(_syntax(error, text, file))
        return None
    except _Stop as error:
        problems.append(error.mark.problem(error.what))
        return None
    if tree.root is None:
        problems.append(Mark(file, 1, 1).problem("the file is empty; a scenario needs at least name and about"))
    return tree.root


# Nothing after this could be read as it was meant.
class _Stop(Exception):
    def __init__(self, mark: Mark, what: str) -> None:
        super().__init__(what)
        self.mark = mark
        self.what = what


# A list or mapping whose end has not come yet.
@dataclass(slots=True)
class _Open:
    mark: Mark
    mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)


# Built from events rather than by yaml.compose: that recurses, merges nothing and says nothing about duplicates.
class _Tree:
    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.root: Node | None = None
        self._file = file
        self._problems = problems
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._documents = 0
        self._count = 0
        self._surprised: set[Mark] = set()

    def take(self, event: yaml.Event) -> None:
        start = event.start_mark
        mark = Mark(self._file, start.line + 1, start.column + 1) if start is not None else Mark(self._file, 1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Stop(mark, "a second document begins here; one file holds one scenario")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", mark)
        elif isinstance(event, yaml.ScalarEvent):
            self._tag(event, mark)
            self._add(self._scalar(event, mark), event.anchor, mark)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._tag(event, mark)
            self._anchors.pop(event.anchor or "", None)
            self._open.append(_Open(mark, isinstance(event, yaml.MappingStartEvent), event.anchor))
            if len(self._open) > _DEEPEST:
                raise _Stop(mark, f"nested more than {_DEEPEST} deep")
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            done = self._open.pop()
            node = self._mapping(done) if done.mapping else ListNode(tuple(done.items), done.mark)
            self._add(node, done.anchor, done.mark)

    def _add(self, node: Node, anchor: str | None, mark: Mark, size: int = 1) -> None:
        self._count += size
        if self._count > _MOST_NODES:
            raise _Stop(mark, f"more than {_MOST_NODES} values, counting what aliases repeat")
        if anchor is not None:
            self._anchors[anchor] = (node, _size(node))
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node

    def _alias(self, anchor: str, mark: Mark) -> None:
        if any(item.anchor == anchor for item in self._open):
            raise _Stop(mark, f"the alias *{anchor} lies inside what it stands for")
        if anchor not in self._anchors:
            raise _Stop(mark, f"the alias *{anchor} has no anchor &{anchor} before it; quote a text that begins with *")
        node, size = self._anchors[anchor]
        self._add(node, None, mark, size)

    def _tag(self, event: yaml.NodeEvent, mark: Mark) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", "tag:yaml.org,2002:str"):
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            self._problems.append(mark.problem(f"the tag {shown} is not used in scenarios; leave it out"))

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> ScalarNode:
        # implicit[0]: unquoted and without a tag, so YAML would look at the text to find a type.
        if not event.implicit[0]:
            return ScalarNode(event.value, event.value, mark, unquoted=False)
        try:
            return ScalarNode(read_unquoted(event.value), event.value, mark)
        except Surprise as surprise:
            self._problems.append(mark.problem(str(surprise)))
            self._surprised.add(mark)
            return ScalarNode(surprise.meant, event.value, mark)

    def _mapping(self, done: _Open) -> MappingNode:
        items: list[tuple[ScalarNode, Node]] = []
        seen: dict[str, Mark] = {}
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if key.mark in self._surprised:
                continue
            if not isinstance(key, ScalarNode) or key.value is None or isinstance(key.value, bool | float):
                self._problems.append(key.mark.problem("a key must be text or a whole number; quote it"))
            elif key.text == "<<" and key.unquoted:
                self._problems.append(key.mark.problem("merge keys (<<) are not supported; repeat the keys"))
            elif key.text in seen:
                first = seen[key.text]
                self._problems.append(key.mark.problem(f"the key {key.text!r} is already in line {first.line}"))
            else:
                seen[key.text] = key.mark
                items.append((key, value))
        return MappingNode(tuple(items), done.mark)


def _size(node: Node) -> int:
    if isinstance(node, ListNode):
        return 1 + sum(map(_size, node.items))
    if isinstance(node, MappingNode):
        return 1 + sum(1 + _size(value) for _, value in node.items)
    return 1


def _mark_at(text: str, offset: int, file: str) -> Mark:
    breaks = [match.end() for match in _LINE_BREAK.finditer(text, 0, offset)]
    return Mark(file, len(breaks) + 1, offset - (breaks[-1] if breaks else 0) + 1)


def _syntax(error: yaml.YAMLError, text: str, file: str) -> Problem:
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    lines = _LINE_BREAK.split(text)
    # At the end of the file libyaml points behind the last line.
    line, column = (place.line, place.column) if place is not None else (0, 0)
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    column = min(column, len(lines[line]))
    hint = next((hint for start, hint in _HINTS.items() if what.startswith(start)), "")
    if what.startswith("found character that cannot start any token"):
        character = lines[line][column : column + 1]
        hint = "; indent with spaces, not tabs" if character == "\t" else f"; quote a text that begins with {character}"
    return Problem(file, line + 1, column + 1, f"this is no YAML: {what}{hint}")
