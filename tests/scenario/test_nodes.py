from __future__ import annotations

import pytest

from harness.scenario.nodes import Mark, at_mark, describe, locate, plain

from .sample import tree

TEXT = "a:\n  - {b: 1}\n  - c\n"


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("a",), False, (2, 3)),
        (("a",), True, (1, 1)),
        (("a", 0, "b"), False, (2, 9)),
        (("a", 0, "b"), True, (2, 6)),
        (("a", 1), False, (3, 5)),
        (("a", 0, "missing"), False, (2, 5)),
        (("a", 9), False, (2, 3)),
        (("a", "union-member", 1), False, (3, 5)),
        ((), False, (1, 1)),
    ],
)
def test_locate(path: tuple[str | int, ...], key: bool, place: tuple[int, int]) -> None:
    mark, _ = locate(tree(TEXT), path, key=key)
    assert (mark.line, mark.column) == place


def test_describe() -> None:
    values = [value for _, value in tree(f"{{a: x, b: 0x10, c: null, d: [1], e: {{}}, f: true, g: {'y' * 70}}}").items]
    assert [describe(value) for value in values] == [
        "the text 'x'", "0x10", "nothing", "a list", "a mapping", "true", f"the text '{'y' * 57}...'",
    ]  # fmt: skip


def test_what_an_option_gives_stands_at_the_option() -> None:
    given = at_mark(tree(TEXT), Mark("--set x", None, None))
    assert plain(given) == {"a": [{"b": 1}, "c"]}
    for path in (("a",), ("a", 0, "b"), ("a", 1)):
        for key in (False, True):
            assert str(locate(given, path, key=key)[0].problem("wrong")) == "--set x: wrong"
