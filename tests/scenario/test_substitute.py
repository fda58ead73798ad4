from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.errors import Problem
from harness.scenario.nodes import MappingNode, ScalarNode, plain
from harness.scenario.substitute import Variables, substitute

from .sample import tree


def scalars(text: str) -> dict[str, ScalarNode]:
    return {key.text: value for key, value in tree(text).items if isinstance(value, ScalarNode)}


def replaced(
    text: str,
    *,
    given: Mapping[str, str] | None = None,
    axes: str = "{}",
    environment: Mapping[str, str] | None = None,
    defaults: str = "{}",
) -> tuple[object, list[str]]:
    problems: list[Problem] = []
    variables = Variables(given or {}, scalars(axes), environment or {}, scalars(defaults))
    node = substitute(tree(text), variables, problems)
    assert isinstance(node, MappingNode)
    return plain(node), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('a: "${n}"', 4),
        ("a: ${n}", 4),
        ("a: x${n}y${n}", "x4y4"),
        ("a: ${word}", "off"),
        ("a: ${empty}", None),
        ("a: x${empty}", "x"),
        ("a: ${hex} ${hex}", "0x10 0x10"),
        ("a: ${flag}", True),
        ("a: x${flag}", "xtrue"),
        ("a: ${nope:-7}", 7),
        ("a: ${nope:-off}", "off"),
        ("a: ${nope:-}", ""),
        ("a: ${empty:-7}", 7),
        ("a: x${nope:-a b}", "xa b"),
        ("a: ${n:-7}", 4),
        ("a: $${n}", "${n}"),
        ("a: x$${n}${n}", "x${n}4"),
        ("a: $n $(n) $$ ${n}", "$n $(n) $$ 4"),
        ("a: ${chain}", "4-4"),
    ],
)
def test_values(text: str, value: object) -> None:
    defaults = '{n: 4, word: "off", empty: null, hex: 0x10, flag: true, chain: "${n}-${n}"}'
    assert replaced(text, defaults=defaults) == ({"a": value}, [])


def test_the_strongest_source_wins() -> None:
    sources = {
        "given": {"x": "given"},
        "axes": "x: axis",
        "environment": {"x": "environment"},
        "defaults": "x: default",
    }
    for name in ("given", "axes", "environment", "defaults"):
        word = {"axes": "axis", "defaults": "default"}.get(name, name)
        assert replaced("a: ${x}", **sources) == ({"a": word}, [])  # type: ignore[arg-type]
        del sources[name]
    assert replaced("a: ${x}")[1]


def test_what_was_used_is_known() -> None:
    variables = Variables({"x": "1", "y": "2"}, {}, {}, {})
    substitute(tree("a: ${x}"), variables, [])
    assert variables.used == {"x"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: ${cuont}", "s.yaml:1:4: nothing defines ${cuont} (did you mean 'count'?); give it with --set cuont=…, in "
         "the environment or under vars, or write $${ to leave it to the guest's shell"),
        ("a: x ${HOME%/}", "s.yaml:1:4: '${HOME%/}' is no variable; write ${NAME}, or $${ to leave it to the guest's "
         "shell"),
        ("a: x ${HOME", "s.yaml:1:4: '${HOME' is not closed; write ${NAME}, or $${ for a plain ${"),
        ("a: ${one}", "s.yaml:1:32: the variables one, two are defined by one another"),
    ],
)  # fmt: skip
def test_problems(text: str, problem: str) -> None:
    _, problems = replaced(text, defaults='{count: 1, one: "${two}", two: "${one}"}')
    assert problem in problems


def ladder(rungs: int) -> str:
    return "".join(f', v{n}: "{f"${{v{n - 1}}}" * 10}"' for n in range(1, rungs))


def test_growth_is_bounded() -> None:
    defaults = "{v0: " + "x" * 100 + ladder(12) + "}"
    _, problems = replaced("a: ${v11}", defaults=defaults)
    assert "the variables make this longer than 65536 characters" in problems[0]
    silent = "{v0: ''" + ladder(30) + "}"
    assert replaced("a: x${v29}", defaults=silent) == ({"a": "x"}, [])


def test_the_place_of_use_is_kept() -> None:
    node = substitute(tree("a:\n  - x\n  - ${n}"), Variables({}, scalars("n: 1"), {}, {}), [])
    assert isinstance(node, MappingNode)
    item = node.items[0][1].items[1]  # type: ignore[union-attr]
    assert (item.mark.line, item.mark.column) == (3, 5)  # type: ignore[union-attr]


def test_keys_are_replaced_too() -> None:
    value, problems = replaced("at_least: {'${hlt}': 10, '$${x}': 1}", given={"hlt": "HLT"})
    assert value == {"at_least": {"HLT": 10, "${x}": 1}} and problems == []
    value, problems = replaced("a: {hlt: 1, '${hlt}': 10}", given={"hlt": "hlt"})
    assert problems == ["s.yaml:1:13: ${hlt} is hlt, a key that is there already"]
    _, (problem,) = replaced("a: {'${no}': 10}")
    assert "nothing defines ${no}" in problem
