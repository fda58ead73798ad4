"""Put the values of variables where ``${NAME}`` stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import Problem
from harness.scenario.nodes import ListNode, MappingNode, Mark, Node, ScalarNode
from harness.scenario.scalars import guess
from harness.scenario.suggest import did_you_mean

__all__ = ["Variables", "substitute"]

_REFERENCE = re.compile(r"\$(?P<escape>\$)?\{(?P<inside>[^{}]*)(?P<end>\})?")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_.-]*?)(?P<fallback>:-(?P<default>.*))?", re.DOTALL)
# One scalar; variables that contain variables multiply.
_LONGEST_TEXT = 65_536


@dataclass(frozen=True, slots=True)
class Variables:
    """Know the variables of one variant, strongest first.

    ``given`` (``--set``), then ``axes`` (the point of the matrix), then ``environment``, then ``defaults`` (the file's
    ``vars``). ``used`` collects the names of ``given`` that were asked for.
    """

    given: Mapping[str, str]
    axes: Mapping[str, ScalarNode]
    environment: Mapping[str, str]
    defaults: Mapping[str, ScalarNode]
    used: set[str] = field(default_factory=set)

    def names(self) -> list[str]:
        """List the names that can be meant, without the environment's many."""
        return [*self.given, *self.axes, *self.defaults]


def substitute(node: Node, variables: Variables, problems: list[Problem]) -> Node:
    """Return ``node`` with every ``${NAME}`` and ``${NAME:-default}`` replaced, in keys too, and ``$${`` made ``${``.

    A scalar that is nothing but ``${NAME}`` becomes the variable's value with its type; inside a text the value is
    text. As in the shell, the default also stands in for an empty value. A name that nothing defines is appended to
    ``problems`` at its position and left as it is.
    """
    return _Substitution(variables, problems).node(node, ())


class _Substitution:
    def __init__(self, variables: Variables, problems: list[Problem]) -> None:
        self._variables = variables
        self._problems = problems
        self._known: dict[str, ScalarNode] = {}

    # `active` holds the names whose defaults are being worked out, to find a circle.
    def node(self, node: Node, active: tuple[str, ...]) -> Node:
        if isinstance(node, ScalarNode):
            return self._scalar(node, active)
        if isinstance(node, ListNode):
            return ListNode(tuple(self.node(item, active) for item in node.items), node.mark)
        return self._mapping(node, active)

    def _mapping(self, node: MappingNode, active: tuple[str, ...]) -> MappingNode:
        items: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.items:
            named = self._scalar(key, active)
            if named.text in items:
                self._say(key.mark, f"{key.text} is {named.text}, a key that is there already")
            items[named.text] = named, self.node(value, active)
        return MappingNode(tuple(items.values()), node.mark)

    def _scalar(self, node: ScalarNode, active: tuple[str, ...]) -> ScalarNode:
        text = node.value
        if not isinstance(text, str) or "${" not in text:
            return node
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole["escape"] is None:
            return self._value(whole, node.mark, active) or node
        parts: list[str] = []
        position = length = 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[position : match.start()])
            position = match.end()
            parts.append(match[0][1:] if match["escape"] else self._text(match, node.mark, active))
            length += len(parts[-1])
            if length > _LONGEST_TEXT:
                self._say(node.mark, f"the variables make this longer than {_LONGEST_TEXT} characters")
                return node
        replaced = "".join([*parts, text[position:]])
        return ScalarNode(replaced, replaced, node.mark, unquoted=False)

    def _text(self, match: re.Match[str], mark: Mark, active: tuple[str, ...]) -> str:
        value = self._value(match, mark, active)
        if value is None:
            return match[0]
        return value.value if isinstance(value.value, str) else "" if value.value is None else value.text

    # None: a problem was said.
    def _value(self, match: re.Match[str], mark: Mark, active: tuple[str, ...]) -> ScalarNode | None:
        inside = _INSIDE.fullmatch(match["inside"])
        if match["end"] is None or inside is None:
            if match["end"] is None:
                self._say(mark, f"{match[0][:40]!r} is not closed; write ${{NAME}}, or $${{ for a plain ${{")
            else:
                self._say(
                    mark, f"{match[0]!r} is no variable; write ${{NAME}}, or $${{ to leave it to the guest's shell"
                )
            return None
        name, default = inside["name"], inside["default"]
        found = self._look_up(name, mark, active)
        empty = found is not None and found.value in ("", None)
        if (found is None or empty) and inside["fallback"] is not None:
            return _retyped(default, mark)
        if found is None:
            self._say(
                mark,
                f"nothing defines ${{{name}}}{did_you_mean(name, self._variables.names())}; give it with "
                f"--set {name}=…, in the environment or under vars, or write $${{ to leave it to the guest's shell",
            )
        return found

    def _look_up(self, name: str, mark: Mark, active: tuple[str, ...]) -> ScalarNode | None:
        variables = self._variables
        if name in variables.given:
            variables.used.add(name)
            return _retyped(variables.given[name], mark)
        if name in variables.axes:
            return _moved(variables.axes[name], mark)
        if name in variables.environment:
            return _retyped(variables.environment[name], mark)
        if name not in variables.defaults:
            return None
        if name in active:
            self._say(mark, f"the variables {', '.join(sorted({*active, name}))} are defined by one another")
            return ScalarNode("", "", mark, unquoted=False)
        if name not in self._known:
            self._known[name] = self._scalar(variables.defaults[name], (*active, name))
        return _moved(self._known[name], mark)

    def _say(self, mark: Mark, what: str) -> None:
        self._problems.append(mark.problem(what))


def _retyped(text: str, mark: Mark) -> ScalarNode:
    value = guess(text)
    return ScalarNode(value, text, mark, unquoted=False, retyped=not isinstance(value, str))


# What is wrong with a value shows where it is used: the same variable may be right elsewhere.
def _moved(node: ScalarNode, mark: Mark) -> ScalarNode:
    return ScalarNode(node.value, node.text, mark, node.unquoted, retyped=not isinstance(node.value, str))
