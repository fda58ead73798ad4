from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import Field

from harness.errors import Problem
from harness.scenario.base import Model
from harness.scenario.validate import allowed_keys, validate

from .sample import tree


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Model):
    size: int = Field(default=1, ge=1, description="Size.")


class Outer(Model):
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = {}
    kind: Literal["a", "b"] = "a"
    source: str = Field(default="x", validation_alias="from", max_length=3)
    colour: Colour = Colour.RED
    few: tuple[int, ...] = Field(default=(1,), min_length=1)
    either: Annotated[int | None, Field(description="Either.")] = None


def read(text: str) -> tuple[Outer | None, list[str]]:
    problems: list[Problem] = []
    value = validate(Outer, tree(text), "outer", problems)
    return value, [str(problem) for problem in problems]


def test_values() -> None:
    value, problems = read("{inner: {size: 2}, many: [{size: 3}], named: {x: {}}, from: abc, either: 4, colour: blue}")
    assert problems == []
    assert value == Outer(
        inner=Inner(size=2), many=(Inner(size=3),), named={"x": Inner()}, source="abc", either=4, colour=Colour.BLUE
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{inner: {sise: 2}}",
         "s.yaml:1:10: unknown key 'sise' in outer.inner (did you mean 'size'?); allowed: size"),
        ("{many: [{}, {sise: 2}]}",
         "s.yaml:1:14: unknown key 'sise' in outer.many[2] (did you mean 'size'?); allowed: size"),
        ("{named: {x: {size: 0}}}", "s.yaml:1:20: outer.named.x.size must be at least 1, not 0"),
        ("{many: {}}", "s.yaml:1:8: outer.many must be a list, not a mapping"),
        ("{inner: 3}", "s.yaml:1:9: outer.inner must be a mapping, not 3"),
        ("{kind: c}", "s.yaml:1:8: outer.kind must be one of a, b, not the text 'c'"),
        ("{source: x}", "s.yaml:1:2: unknown key 'source' in outer; "
         "allowed: inner, many, named, kind, from, colour, few, either"),
        ("{colour: bleu}", "s.yaml:1:10: outer.colour must be one of red, blue, not the text 'bleu' "
         "(did you mean 'blue'?)"),
        ("{few: []}", "s.yaml:1:7: outer.few must not be empty"),
        ("{few: {}}", "s.yaml:1:7: outer.few must be a list, not a mapping"),
        ("{from: 7}", 's.yaml:1:8: outer.from must be text, not 7; write "7" in quotes'),
        ("{from: null}", "s.yaml:1:8: outer.from must be text, not nothing"),
        ("{from: [a]}", "s.yaml:1:8: outer.from must be text, not a list"),
        ("{from: abcd}", "s.yaml:1:8: outer.from: string should have at most 3 characters"),
        ("{either: x}", "s.yaml:1:10: outer.either must be a whole number, not the text 'x'"),
    ],
)  # fmt: skip
def test_problems(text: str, expected: str) -> None:
    assert read(text) == (None, [expected])


def test_keys_are_named_as_the_file_names_them() -> None:
    assert list(allowed_keys(Outer)) == ["inner", "many", "named", "kind", "from", "colour", "few", "either"]
