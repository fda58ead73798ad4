"""Turn nodes into models, and what pydantic finds wrong into problems with a position and a plain sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.errors import Problem
from harness.scenario.base import Model
from harness.scenario.nodes import ListNode, MappingNode, Node, ScalarNode, describe, locate, plain
from harness.scenario.suggest import did_you_mean, listed

__all__ = ["allowed_keys", "validate"]

M = TypeVar("M", bound=Model)

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def validate(model: type[M], node: Node, where: str, problems: list[Problem]) -> M | None:
    """Return ``node`` as a ``model``, or None after appending every problem at the position of its value.

    ``where`` is how messages call the node: ``machine``, ``steps[2].qmp``.
    """
    while True:
        try:
            # JSON, because strict validation takes lists for tuples and text for enumerations only from there.
            text = json.dumps(plain(node))
            return model.model_validate_json(text, by_alias=True, by_name=False)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
        as_text = _as_text(node, [error["loc"] for error in errors if error["type"] == "string_type"])
        if as_text is None:
            break
        node = as_text
    found = [_problem(error, model, node, where) for error in errors]
    problems.extend(dict.fromkeys(found))
    return None


def allowed_keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of ``model`` by the key that a file uses."""
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else name: field
        for name, field in model.model_fields.items()
    }


# Where a variable looked like a number but text is needed, it is text after all. None: there is no such place.
def _as_text(node: Node, paths: Sequence[tuple[int | str, ...]]) -> Node | None:
    changed = False

    def rebuild(node: Node, path: tuple[int | str, ...]) -> Node:
        nonlocal changed
        if isinstance(node, ScalarNode):
            if path in wanted and node.retyped:
                changed = True
                return ScalarNode(node.text, node.text, node.mark, unquoted=False)
            return node
        if isinstance(node, ListNode):
            return ListNode(tuple(rebuild(item, (*path, at)) for at, item in enumerate(node.items)), node.mark)
        return MappingNode(tuple((key, rebuild(value, (*path, key.text))) for key, value in node.items), node.mark)

    wanted = set(paths)
    rebuilt = rebuild(node, ()) if wanted else node
    return rebuilt if changed else None


def _problem(error: ErrorDetails, model: type[BaseModel], node: Node, where: str) -> Problem:
    path, kind = error["loc"], error["type"]
    mark, at = locate(node, path, key=kind == "extra_forbidden")
    return mark.problem(_sentence(error, model, at, where, path))


def _sentence(
    error: ErrorDetails, model: type[BaseModel], at: Node, where: str, path: tuple[int | str, ...]
) -> str:  # fmt: skip
    kind, context = error["type"], error.get("ctx", {})
    name = _dotted(where, path)
    if kind == "extra_forbidden":
        keys = list(allowed_keys(_model_at(model, path[:-1])))
        last = str(path[-1])
        parent = _dotted(where, path[:-1])
        return f"unknown key {last!r} in {parent}{did_you_mean(last, keys)}; allowed: {listed(keys)}"
    if kind == "missing":
        field = allowed_keys(_model_at(model, path[:-1])).get(str(path[-1]))
        about = f": {field.description}" if field is not None and field.description else ""
        return f"{_dotted(where, path[:-1]) or 'a scenario'} needs the key {str(path[-1])!r}{about}"
    if kind in _KINDS:
        return f"{name} must be {_KINDS[kind]}, not {describe(at)}"
    if kind == "string_type":
        quote = f'; write "{at.text}" in quotes' if isinstance(at, ScalarNode) and at.value is not None else ""
        return f"{name} must be text, not {describe(at)}{quote}"
    if kind in ("literal_error", "enum"):
        choices = _choices(str(context["expected"]))
        word = at.text if isinstance(at, ScalarNode) else ""
        return f"{name} must be one of {listed(choices)}, not {describe(at)}{did_you_mean(word, choices)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"{name} must be {limit}, not {describe(at)}"
    if kind in ("string_too_short", "too_short"):
        least = context["min_length"]
        return f"{name} must not be empty" if least == 1 else f"{name} needs at least {least}, not {describe(at)}"
    if kind == "string_pattern_mismatch":
        field = _field_at(model, path)
        about = f". {field.description}" if field is not None and field.description else f" ({context['pattern']})"
        return f"{name} cannot be {describe(at)}{about}"
    if kind == "value_error":
        return f"{name}: {context['error']}"
    return f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}"


# pydantic renders the choices as "'on', 'split' or 'off'".
def _choices(expected: str) -> list[str]:
    return [choice.strip().strip("'") for choice in expected.replace(" or ", ", ").split(", ")]


def _dotted(where: str, path: Sequence[int | str]) -> str:
    text = where
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _field_at(model: type[BaseModel], path: Sequence[int | str]) -> FieldInfo | None:
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return None
    return allowed_keys(_model_at(model, names[:-1])).get(names[-1])


# The model whose field `path` leads to; the deepest one that is known.
def _model_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    for part in path:
        field = allowed_keys(model).get(str(part))
        inner = _model_in(field.annotation) if field is not None else None
        model = inner or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated, tuple, list) or (
        isinstance(origin, type) and issubclass(origin, Mapping)
    ):
        return next((found for found in map(_model_in, get_args(annotation)) if found is not None), None)
    return None
