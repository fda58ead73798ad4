"""Expand the matrix of a scenario into points with stable names."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import Problem
from harness.scenario.model import Machine
from harness.scenario.nodes import ListNode, MappingNode, Node, ScalarNode, describe
from harness.scenario.scalars import guess
from harness.scenario.substitute import Variables, substitute
from harness.scenario.suggest import did_you_mean, listed

__all__ = ["SECTIONS", "Axis", "Point", "expand", "key_path", "read_axes", "slug"]

#: The sections that a dotted name can lead into.
SECTIONS = ("machine", "guest", "payload", "snp", "svsm", "trace", "host", "perturb", "stability")
# Keys of the scenario that can be written as one scalar, and where that scalar goes.
_SCALARS = {"timeout": ("timeout",), "payload": ("payload", "image")}
_RESERVED = ("exclude", "include")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")
# Brackets enclose a variant's id in `name[id]`; the rest would be unreadable in a table or on a command line.
_UNREADABLE = re.compile(r"[^!-~]|[\[\]]")
_LONGEST_VALUE = 80
_MOST_POINTS = 1000
_LONGEST_SLUG = 120


def key_path(name: str) -> tuple[str, ...] | None:
    """Return the path of the key that ``name`` stands for, or None if it is only a variable."""
    parts = tuple(name.split("."))
    if len(parts) > 1:
        return parts if parts[0] in SECTIONS else None
    if name in Machine.model_fields:
        return ("machine", name)
    return _SCALARS.get(name)


@dataclass(frozen=True, slots=True)
class Axis:
    """Be one axis: ``name`` as written, ``path`` of the key it sets (None: a variable only), and its values."""

    name: str
    path: tuple[str, ...] | None
    values: tuple[ScalarNode, ...]
    #: True if ``--set`` has chosen the value.
    pinned: bool = False

    @property
    def label(self) -> str:
        """Return the last part of the name, as ids and ``${…}`` use it."""
        return self.name.rpartition(".")[2]

    def goes_by(self, name: str) -> bool:
        """Tell whether ``name`` means this axis."""
        return name in (self.name, self.label, ".".join(self.path or ()))


@dataclass(frozen=True, slots=True)
class Point:
    """Be one point of the matrix: a value for each axis, in the order of the axes."""

    axes: tuple[Axis, ...]
    values: tuple[ScalarNode, ...]

    @property
    def id(self) -> str:
        """Return ``vcpus=2,type=microvm``; ``-`` without axes. It depends on nothing but the point."""
        return ",".join(f"{axis.label}={show(value)}" for axis, value in self.items()) or "-"

    def items(self) -> tuple[tuple[Axis, ScalarNode], ...]:
        """Return each axis with its value."""
        return tuple(zip(self.axes, self.values, strict=True))

    def variables(self) -> dict[str, ScalarNode]:
        """Return the values by the names that ``${…}`` may use."""
        return {name: value for axis, value in self.items() for name in (axis.name, axis.label)}


def show(value: ScalarNode) -> str:
    """Return the text of an axis value in an id."""
    return value.value if isinstance(value.value, str) else "null" if value.value is None else value.text


def slug(scenario: str, variant_id: str) -> str:
    """Return a file name for a variant: different for different ids, and the same in every run."""
    if variant_id == "-":
        return scenario
    # "a=1,b=2" → "a-1_b-2"; an id with anything else in it would no longer be told apart without a digest.
    readable = variant_id.replace("=", "-").replace(",", "_")
    safe = re.sub(r"[^A-Za-z0-9._+-]", "-", readable)
    name = f"{scenario}_{safe}"
    plain = safe == readable and "_" not in variant_id and all(part.count("=") == 1 for part in variant_id.split(","))
    if plain and len(name) <= _LONGEST_SLUG:
        return name
    digest = hashlib.sha256(f"{scenario}[{variant_id}]".encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_SLUG - 9].rstrip('.')}-{digest}"


def read_axes(
    matrix: MappingNode, variables: Variables, problems: list[Problem]
) -> tuple[Axis, ...]:  # fmt: skip
    """Return the axes of ``matrix``; one that ``variables.given`` (``--set``) names is pinned to that value."""
    axes: list[Axis] = []
    for key, node in matrix.without(*_RESERVED).items:
        axis = _axis(key, substitute(node, variables, problems), problems)
        if axis is None:
            continue
        twin = next((other for other in axes if other.label == axis.label), None)
        if twin is not None:
            problems.append(
                key.mark.problem(f"the axes {twin.name!r} and {axis.name!r} are both called {axis.label!r}")
            )
            continue
        axes.append(_pin(axis, variables))
    return tuple(axes)


def _axis(key: ScalarNode, node: Node, problems: list[Problem]) -> Axis | None:
    name = key.text
    path = key_path(name)
    if not _NAME.fullmatch(name) or ("." in name and path is None):
        near = did_you_mean(name.partition(".")[0], SECTIONS)
        problems.append(
            key.mark.problem(
                f"the axis {name!r} leads nowhere{near}; an axis is a key such as vcpus or machine.vcpus "
                f"(below {listed(SECTIONS)}), or a plain name to be used as ${{name}}"
            )
        )
        return None
    if not isinstance(node, ListNode) or not node.items:
        problems.append(node.mark.problem(f"the axis {name!r} must be a list of at least one value, such as [1, 2]"))
        return None
    values: dict[str, ScalarNode] = {}
    for item in node.items:
        if not isinstance(item, ScalarNode):
            problems.append(item.mark.problem(f"a value of the axis {name!r} cannot be {describe(item)}"))
        elif _UNREADABLE.search(show(item)) or not 0 < len(show(item)) <= _LONGEST_VALUE:
            problems.append(
                item.mark.problem(
                    f"{show(item)[:80]!r} cannot be part of a variant's id: 1 to {_LONGEST_VALUE} printable ASCII "
                    "characters without spaces and brackets; use a short name here and ${NAME} where it is needed"
                )
            )
        elif show(item) in values:
            problems.append(item.mark.problem(f"the axis {name!r} has {show(item)!r} twice"))
        else:
            values[show(item)] = item
    return Axis(name, path, tuple(values.values())) if values else None


def _pin(axis: Axis, variables: Variables) -> Axis:
    given = next((name for name in variables.given if axis.goes_by(name)), None)
    if given is None:
        return axis
    variables.used.add(given)
    text = variables.given[given]
    value = guess(text)
    # The position of the axis's first value stands in: a problem there names the value that was given.
    pinned = ScalarNode(value, text, axis.values[0].mark, unquoted=False, retyped=not isinstance(value, str))
    return Axis(axis.name, axis.path, (pinned,), pinned=True)


def expand(axes: tuple[Axis, ...], matrix: MappingNode, problems: list[Problem]) -> tuple[Point, ...]:
    """Return every point of the axes but those under ``exclude``, then those under ``include``."""
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > _MOST_POINTS:
        problems.append(matrix.mark.problem(f"the matrix has {count} points; {_MOST_POINTS} are the most"))
        return ()
    points = [Point(axes, values) for values in itertools.product(*(axis.values for axis in axes))]
    for chosen, entry in _entries(matrix, "exclude", axes, problems):
        left = [point for point in points if not all(_has(point, axis, value) for axis, value in chosen)]
        if len(left) == len(points) and not any(axis.pinned for axis in axes):
            problems.append(
                entry.mark.problem("this excludes no point of the matrix (or only points already excluded)")
            )
        points = left
    for chosen, entry in _entries(matrix, "include", axes, problems):
        missing = [axis.name for axis in axes if axis not in dict(chosen)]
        if missing:
            problems.append(
                entry.mark.problem(f"an included point needs a value for every axis; missing: {listed(missing)}")
            )
            continue
        by_axis = dict(chosen)
        point = Point(axes, tuple(by_axis[axis] for axis in axes))
        if any(axis.pinned and not _has(point, axis, axis.values[0]) for axis in axes):
            continue
        if any(point.id == other.id for other in points):
            if not any(axis.pinned for axis in axes):
                problems.append(entry.mark.problem(f"the point {point.id} is in the matrix already"))
            continue
        points.append(point)
    if not points and not problems:
        problems.append(matrix.mark.problem("no point of the matrix is left"))
    return tuple(points)


def _has(point: Point, axis: Axis, value: ScalarNode) -> bool:
    return any(own == axis and show(at) == show(value) for own, at in point.items())


_Chosen = Sequence[tuple[Axis, ScalarNode]]


def _entries(
    matrix: MappingNode, section: str, axes: tuple[Axis, ...], problems: list[Problem]
) -> list[tuple[_Chosen, MappingNode]]:
    node = matrix.get(section)
    if node is None:
        return []
    if not isinstance(node, ListNode):
        problems.append(node.mark.problem(f"{section} must be a list of mappings from axis to value"))
        return []
    found: list[tuple[_Chosen, MappingNode]] = []
    for item in node.items:
        if not isinstance(item, MappingNode) or not item.items:
            problems.append(item.mark.problem(f"an entry of {section} must be a mapping from axis to value"))
            continue
        chosen = [_assignment(key, value, section, axes, problems) for key, value in item.items]
        complete = [pair for pair in chosen if pair is not None]
        if len(complete) == len(chosen):
            found.append((complete, item))
    return found


def _assignment(
    key: ScalarNode, value: Node, section: str, axes: tuple[Axis, ...], problems: list[Problem]
) -> tuple[Axis, ScalarNode] | None:
    axis = next((axis for axis in axes if axis.goes_by(key.text)), None)
    names = [axis.name for axis in axes]
    if axis is None:
        problems.append(
            key.mark.problem(
                f"no axis is called {key.text!r}{did_you_mean(key.text, names)}; axes: {listed(names) or 'none'}"
            )
        )
        return None
    if (
        not isinstance(value, ScalarNode)
        or _UNREADABLE.search(show(value))
        or not 0 < len(show(value)) <= _LONGEST_VALUE
    ):
        problems.append(value.mark.problem(f"a value of the axis {axis.name!r} cannot be {describe(value)}"))
        return None
    known = [show(known) for known in axis.values]
    if section == "exclude" and not axis.pinned and show(value) not in known:
        problems.append(
            value.mark.problem(f"the axis {axis.name!r} has no value {show(value)!r}; it has {listed(known)}")
        )
        return None
    return axis, value
