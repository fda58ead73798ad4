from __future__ import annotations

import pytest

from harness.scenario.merge import merge, put
from harness.scenario.nodes import locate, plain

from .sample import tree


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ("{a: 1}", "{b: 2}", {"a": 1, "b": 2}),
        ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", {"a": {"b": 1, "c": 3}}),
        ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
        ("{a: {b: 1}}", "{a: null}", {"a": None}),
        ("{a: null}", "{a: {b: 1}}", {"a": {"b": 1}}),
        ("{}", "{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_merge(base: str, over: str, merged: object) -> None:
    assert plain(merge(tree(base), tree(over))) == merged


def test_put() -> None:
    (value,) = (value for _, value in tree("x: 9").items)
    assert plain(put(tree("{a: {b: 1}}"), ("a", "c"), value)) == {"a": {"b": 1, "c": 9}}
    assert plain(put(tree("{a: 1}"), ("a", "c"), value)) == {"a": {"c": 9}}


def test_each_value_keeps_its_place() -> None:
    merged = merge(tree("a: {b: 1, c: 2}"), tree("\n\na: {c: 3, d: 4}"))
    lines = {key: locate(merged, ("a", key))[0].line for key in "bcd"}
    assert lines == {"b": 1, "c": 3, "d": 3}
