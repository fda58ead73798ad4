from __future__ import annotations

import pytest

from harness.errors import Problem
from harness.scenario.entries import read_entries

from .sample import CHECKS, Counted, VcpusOnline, tree


def read(text: str) -> tuple[list[object], list[str]]:
    problems: list[Problem] = []
    entries = read_entries(tree(f"expect: {text}").get("expect"), CHECKS, "expect", problems)
    return [entry.value for entry in entries], [problem.what for problem in problems]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("[]", []),
        ("[{vcpus_online: {count: 2}}]", [VcpusOnline(count=2)]),
        ("[vcpus_online: 2]", [VcpusOnline(count=2)]),
        ("[counted: ]", [Counted()]),
        ("[{counted: {during: a}}, {vcpus_online: 1}]", [Counted(during="a"), VcpusOnline(count=1)]),
    ],
)
def test_what_is_read(text: str, values: list[object]) -> None:
    assert read(text) == (values, [])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("7", "expect must be a list, each entry of the form - key: {…}"),
        ("[7]", "expect[1] must be a mapping of one key, not 7"),
        ("[{}]", "expect[1] must have one key, not none"),
        ("[[counted]]", "expect[1] must be a mapping of one key, not a list"),
        ("[{counted: {}, vcpus_online: 1}]", "expect[1] must have one key, not 'counted', 'vcpus_online'; "
         "indent what belongs to 'counted' further"),
        ("[counted: 3]", "expect[1].counted must be a mapping, not 3"),
        ("[vcpus_online: ]", "expect[1].vcpus_online needs the key 'count': How many."),
        ("[vcpus_online: two]", "expect[1].vcpus_online.count must be a whole number, not the text 'two'"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, what: str) -> None:
    assert read(text) == ([], [what])


def test_the_good_ones_are_kept_beside_the_bad() -> None:
    values, problems = read("[{counted: {}}, {nope: 1}]")
    assert values == [Counted()]
    assert len(problems) == 1
