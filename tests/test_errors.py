from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest

import harness.errors
from harness.errors import (
    EvidenceLost,
    HarnessBug,
    HarnessError,
    HostError,
    InputError,
    LaunchError,
    Problem,
    ScenarioError,
    Unsupported,
)


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (InputError, {HarnessError}),
        (ScenarioError, {InputError, HarnessError}),
        (Unsupported, {HarnessError}),
        (EvidenceLost, {HarnessError}),
        (HostError, {HarnessError}),
        (LaunchError, {HostError, HarnessError}),
        (HarnessBug, {HarnessError}),
    ],
)
def test_whose_fault_it_was(error: type[HarnessError], parents: set[type[Exception]]) -> None:
    # An except clause for one kind must not catch another.
    assert {parent for parent in error.__mro__ if parent.__module__ == "harness.errors"} == {error, *parents}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    tree = ast.parse(Path(harness.errors.__file__).read_text())
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    drawn = str(ast.get_docstring(tree)).partition("::")[2].partition("What a guest does")[0].split()
    assert classes - {"Problem"} == classes & set(drawn)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a.yaml", 3, 7, "what"), "a.yaml:3:7: what"),
        (Problem("a.yaml", None, None, "there is no such file"), "a.yaml: there is no such file"),
    ],
)
def test_a_problem_points_at_its_place(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_scenario_error_lists_every_problem() -> None:
    problems = [Problem("a.yaml", 1, 1, "one"), Problem("b.yaml", 2, 2, "two")]
    error = ScenarioError(problems)
    assert error.problems == tuple(problems)
    assert str(error) == "a.yaml:1:1: one\nb.yaml:2:2: two"


def test_unsupported_says_what_would_do() -> None:
    assert str(Unsupported("no split irqchip", "QEMU 9.0")) == "no split irqchip (QEMU 9.0)"
    assert str(Unsupported("no split irqchip")) == "no split irqchip"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [("qemu: -machine x: unsupported\n", "qemu: -machine x: unsupported"), (" \n", "(nothing on standard error)")],
)
def test_a_launch_error_can_be_pasted_into_a_shell(stderr: str, said: str) -> None:
    argv = ["qemu-system-x86_64", "-append", "console=ttyS0 a'b", "-name", "$(x)"]
    error = LaunchError(argv, "exit status 1", stderr)
    first, *middle, by_hand = str(error).splitlines()
    assert first == "QEMU did not start: exit status 1"
    assert middle == [said, "To try it by hand:"]
    assert shlex.split(by_hand) == argv == list(error.argv)
    assert (error.status, error.stderr) == ("exit status 1", stderr)
