from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Problem
from harness.scenario.nodes import MappingNode, plain
from harness.scenario.source import read_source

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def found(text: str) -> list[str]:
    problems: list[Problem] = []
    read_source(text, "s.yaml", problems)
    return sorted(map(str, problems))


def test_values_know_their_places() -> None:
    problems: list[Problem] = []
    node = read_source("a: 1\nb:\n  - x\n  - {c: 'd'}\n", "s.yaml", problems)
    assert isinstance(node, MappingNode)
    assert not problems
    assert plain(node) == {"a": 1, "b": ["x", {"c": "d"}]}
    inner = node.get("b").items[1]  # type: ignore[union-attr]
    key, value = inner.items[0]  # type: ignore[misc,union-attr]
    assert (key.mark.line, key.mark.column) == (4, 6)
    assert (value.mark.line, value.mark.column) == (4, 9)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: !!str 010", {"a": "010"}),
        ("a: '010'", {"a": "010"}),
        ("a: |\n  off\n", {"a": "off\n"}),
        ("1: a", {"1": "a"}),
        ("%YAML 1.2\n---\na: b\n...\n", {"a": "b"}),
    ],
)
def test_what_is_read(text: str, value: object) -> None:
    problems: list[Problem] = []
    node = read_source(text, "s.yaml", problems)
    assert node is not None
    assert plain(node) == value
    assert not problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["s.yaml:1:1: the file is empty; a scenario needs at least name and about"]),
        ("# nothing\n", ["s.yaml:1:1: the file is empty; a scenario needs at least name and about"]),
        ("a: 1\na: 2\nb: {c: 1, c: 2}", [
            "s.yaml:2:1: the key 'a' is already in line 1",
            "s.yaml:3:11: the key 'c' is already in line 3",
        ]),
        ("a: 010\nb: off", [
            's.yaml:1:4: 010 is 8 to YAML 1.1 and 10 to YAML 1.2; write 10, or "010" for text',
            's.yaml:2:4: off is false to YAML 1.1; write false, or "off" for text',
        ]),
        ("off: 1", ['s.yaml:1:1: off is false to YAML 1.1; write false, or "off" for text']),
        ("true: 1", ["s.yaml:1:1: a key must be text or a whole number; quote it"]),
        ("? [a]\n: 1", ["s.yaml:1:3: a key must be text or a whole number; quote it"]),
        ("a: &x {b: 1}\nc: {<<: *x}", ["s.yaml:2:5: merge keys (<<) are not supported; repeat the keys"]),
        ("a: !!int 3", ["s.yaml:1:4: the tag !!int is not used in scenarios; leave it out"]),
        ("a: !mine 3", ["s.yaml:1:4: the tag !mine is not used in scenarios; leave it out"]),
        ("a: 1\n---\nb: 1", ["s.yaml:2:1: a second document begins here; one file holds one scenario"]),
        ("a: *b", ["s.yaml:1:4: the alias *b has no anchor &b before it; quote a text that begins with *"]),
        ("a: &b [*b]", ["s.yaml:1:8: the alias *b lies inside what it stands for"]),
        ("a:\n\t- b", ["s.yaml:2:1: this is no YAML: found character that cannot start any token; "
                       "indent with spaces, not tabs"]),
        ("a: @b", ["s.yaml:1:4: this is no YAML: found character that cannot start any token; "
                   "quote a text that begins with @"]),
        ("a: b: c", ["s.yaml:1:5: this is no YAML: mapping values are not allowed in this context; "
                     "quote a text that has ': ' in it, and indent with care"]),
        ("a: [1, 2", ["s.yaml:1:9: this is no YAML: did not find expected ',' or ']'; "
                      "a bracket is not closed, or a text in brackets needs quotes"]),
        ("a: 'b", ["s.yaml:1:6: this is no YAML: found unexpected end of stream; a quote or bracket is not closed"]),
        ("a: x\x07y", ["s.yaml:1:5: the character U+0007 is not allowed in YAML"]),
        ("a:\n  b\ud800", ["s.yaml:2:4: the character U+D800 is not allowed in YAML"]),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_depth_is_bounded() -> None:
    assert found("[" * 41 + "]" * 41) == ["s.yaml:1:41: nested more than 40 deep"]
    assert found("[" * 100_000) == ["s.yaml:1:41: nested more than 40 deep"]
    assert found("[" * 40 + "]" * 40) == []


def test_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = found("\n".join(lines))
    assert "more than 20000 values, counting what aliases repeat" in problem


def test_size_is_bounded() -> None:
    assert found("a" * ((1 << 20) + 1)) == ["s.yaml:1:1: the file has more than 1048576 characters; is it a scenario?"]


@given(
    st.text(alphabet=st.sampled_from("ab0: -[]{},'\"&*!|>#?%@`\n\t\r\x85\u2028.~<="), max_size=40)
    | st.text(max_size=30)
)
def test_any_text_gives_a_tree_or_problems_inside_the_file(text: str) -> None:
    problems: list[Problem] = []
    node = read_source(text, "s.yaml", problems)
    assert node is not None or problems
    lines = LINE_BREAK.split(text)
    for problem in problems:
        assert problem.line is not None
        assert problem.column is not None
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
