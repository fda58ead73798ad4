from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Problem
from harness.scenario.substitute import Variables
from harness.scenario.variants import Point, expand, key_path, read_axes, slug

from .sample import tree


def points(text: str, **set_values: str) -> tuple[tuple[Point, ...], list[str]]:
    problems: list[Problem] = []
    matrix = tree(text)
    axes = read_axes(matrix, Variables(set_values, {}, {}, {}), problems)
    found = expand(axes, matrix, problems)
    return found, [str(problem) for problem in problems]


def ids(text: str, **set_values: str) -> list[str]:
    found, problems = points(text, **set_values)
    assert problems == []
    return [point.id for point in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ["-"]),
        ("{vcpus: [1, 2]}", ["vcpus=1", "vcpus=2"]),
        ("{machine.vcpus: [1], how: [a, b]}", ["vcpus=1,how=a", "vcpus=1,how=b"]),
        ("{network: [true, false], cpu: [null, 'max,-cx16']}",
         ["network=true,cpu=null", "network=true,cpu=max,-cx16", "network=false,cpu=null",
          "network=false,cpu=max,-cx16"]),
        ("{a: [1, 2], b: [x, y], exclude: [{a: 1, b: y}]}", ["a=1,b=x", "a=2,b=x", "a=2,b=y"]),
        ("{a: [1, 2], b: [x, y], exclude: [{a: 1}]}", ["a=2,b=x", "a=2,b=y"]),
        ("{a: [1], b: [x], include: [{b: z, a: 9}]}", ["a=1,b=x", "a=9,b=z"]),
        ("{machine.vcpus: [1, 2], exclude: [{vcpus: 2}]}", ["vcpus=1"]),
        ("{vcpus: [1, 2], exclude: [{machine.vcpus: 2}]}", ["vcpus=1"]),
    ],
)  # fmt: skip
def test_ids(text: str, expected: list[str]) -> None:
    assert ids(text) == expected


def test_an_id_does_not_depend_on_the_other_values() -> None:
    assert set(ids("{a: [2], b: [x]}")) < set(ids("{a: [1, 2, 3], b: [w, x]}"))


def test_set_pins_an_axis() -> None:
    text = (
        "{vcpus: [1, 2], how: [a, b], exclude: [{vcpus: 1, how: b}], include: [{vcpus: 9, how: a}, {vcpus: 2, how: c}]}"
    )
    assert ids(text, vcpus="2") == ["vcpus=2,how=a", "vcpus=2,how=b", "vcpus=2,how=c"]
    assert ids(text, **{"machine.vcpus": "64"}) == ["vcpus=64,how=a", "vcpus=64,how=b"]
    assert ids(text, how="b") == ["vcpus=2,how=b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{vcpus: 1}", ["s.yaml:1:9: the axis 'vcpus' must be a list of at least one value, such as [1, 2]"]),
        ("{vcpus: []}", ["s.yaml:1:9: the axis 'vcpus' must be a list of at least one value, such as [1, 2]"]),
        ("{vcpus: [[1]]}", ["s.yaml:1:10: a value of the axis 'vcpus' cannot be a list"]),
        ("{vcpus: [1, 1]}", ["s.yaml:1:13: the axis 'vcpus' has '1' twice"]),
        ("{vcpus: [1, '1']}", ["s.yaml:1:13: the axis 'vcpus' has '1' twice"]),
        ("{machin.vcpus: [1]}", [
            "s.yaml:1:2: the axis 'machin.vcpus' leads nowhere (did you mean 'machine'?); an axis is a key such "
            "as vcpus or machine.vcpus (below machine, guest, payload, snp, svsm, trace, host, perturb, stability), "
            "or a plain name to be used as ${name}"]),
        ("{vcpus: [1], machine.vcpus: [2]}",
         ["s.yaml:1:14: the axes 'vcpus' and 'machine.vcpus' are both called 'vcpus'"]),
        ("{how: ['a b']}", [
            "s.yaml:1:8: 'a b' cannot be part of a variant's id: 1 to 80 printable ASCII characters without spaces and "
            "brackets; use a short name here and ${NAME} where it is needed"]),
        ("{a: [1], exclude: [{a: 2}]}", ["s.yaml:1:24: the axis 'a' has no value '2'; it has 1"]),
        ("{how: [1], exclude: [{hwo: 1}]}", ["s.yaml:1:23: no axis is called 'hwo' (did you mean 'how'?); axes: how"]),
        ("{a: [1, 2], exclude: [{a: 1}, {a: 1}]}",
         ["s.yaml:1:31: this excludes no point of the matrix (or only points already excluded)"]),
        ("{a: [1], exclude: [{a: 1}]}", ["s.yaml:1:1: no point of the matrix is left"]),
        ("{a: [1], b: [1], include: [{a: 2}]}",
         ["s.yaml:1:28: an included point needs a value for every axis; missing: b"]),
        ("{a: [1], include: [{a: 1}]}", ["s.yaml:1:20: the point a=1 is in the matrix already"]),
        ("{a: [1, 2], include: [{a: 2}]}", ["s.yaml:1:23: the point a=2 is in the matrix already"]),
        ("{a: [1], include: [{a: 'x y'}]}", ["s.yaml:1:24: a value of the axis 'a' cannot be the text 'x y'"]),
        ("{a: [1], include: [{a: [2]}]}", ["s.yaml:1:24: a value of the axis 'a' cannot be a list"]),
        ("{a: [1], exclude: {a: 1}}", ["s.yaml:1:19: exclude must be a list of mappings from axis to value"]),
        ("{a: [1], include: [2]}", ["s.yaml:1:20: an entry of include must be a mapping from axis to value"]),
    ],
)  # fmt: skip
def test_problems(text: str, expected: list[str]) -> None:
    assert points(text)[1] == expected


def test_the_number_of_points_is_bounded() -> None:
    values = list(range(40))
    assert points(f"{{a: {values}, b: {values}}}")[1] == ["s.yaml:1:1: the matrix has 1600 points; 1000 are the most"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vcpus", ("machine", "vcpus")),
        ("machine.vcpus", ("machine", "vcpus")),
        ("guest.kernel", ("guest", "kernel")),
        ("timeout", ("timeout",)),
        ("payload", ("payload", "image")),
        ("how", None),
        ("steps.x", None),
    ],
)
def test_key_path(name: str, path: tuple[str, ...] | None) -> None:
    assert key_path(name) == path


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("-", "boot"),
        ("vcpus=2,type=microvm", "boot_vcpus-2_type-microvm"),
        ("cpu=max,-cx16", "boot_cpu-max_-cx16-535af905"),
        ("kernel=/boot/x", "boot_kernel--boot-x-34e45bb5"),
        ("a=" + "x" * 200, f"boot_a-{'x' * 104}-d8840db4"),
    ],
)
def test_slug(variant: str, name: str) -> None:
    assert slug("boot", variant) == name
    assert len(name) <= 120


VALUE = st.text(alphabet="ab_-=,./+1", min_size=1, max_size=5)


@given(st.lists(st.tuples(VALUE, VALUE), min_size=2, max_size=6, unique=True))
def test_different_points_have_different_slugs(values: list[tuple[str, str]]) -> None:
    names = {f"a={first},b={second}" for first, second in values}
    assert len({slug("boot", name) for name in names}) == len(names)
