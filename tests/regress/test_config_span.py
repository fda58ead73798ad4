"""Merges of two configurations, built by a shell script that changes them back as a kernel's build does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.build import Builder
from harness.regress.config_span import ConfigTree, config_differences
from harness.regress.difference import Difference, apply_differences
from harness.regress.git_range import Repository
from harness.regress.kconfig import parse_config, render_config
from harness.regress.span import CannotTest
from harness.regress.subset import minimise
from harness.stats.bisect import Question

from .configured_tree import BUILD, make_configured_tree
from .simulated import searcher

BASE = {"CONFIG_A": "y"}


GOOD = """CONFIG_SMP=y
CONFIG_NR_CPUS=64
# CONFIG_KVM is not set
CONFIG_LOCALVERSION="-a=b # c"
CONFIG_VIRTIO=m
CONFIG_OLD=y
"""
BAD = """CONFIG_SMP=y
CONFIG_NR_CPUS=512

CONFIG_KVM=m
# CONFIG_KVM_DEBUG is not set
CONFIG_LOCALVERSION="-a=b # c"
CONFIG_VIRTIO=y
"""


def test_each_symbol_that_differs_is_a_difference_and_absence_is_kept() -> None:
    good, bad = parse_config(GOOD, "good"), parse_config(BAD, "bad")
    found = config_differences(good, bad)
    assert [one.label for one in found] == [
        "CONFIG_NR_CPUS: 64 → 512",
        "CONFIG_KVM: n → m",
        "CONFIG_KVM_DEBUG: absent → n",
        "CONFIG_VIRTIO: m → y",
        "CONFIG_OLD: y → absent",
    ]
    assert parse_config(render_config(apply_differences(good, ())), "0") == good
    assert parse_config(render_config(apply_differences(good, found)), "5") == bad
    assert render_config(apply_differences(good, found[1:3])).splitlines() == [
        "CONFIG_SMP=y",
        "CONFIG_NR_CPUS=64",
        "CONFIG_KVM=m",
        'CONFIG_LOCALVERSION="-a=b # c"',
        "CONFIG_VIRTIO=m",
        "CONFIG_OLD=y",
        "# CONFIG_KVM_DEBUG is not set",
    ]


def test_two_that_do_not_differ_are_refused() -> None:
    values = parse_config(GOOD, "good")
    with pytest.raises(InputError, match="do not differ"):
        config_differences(values, dict(reversed(values.items())))


class _Bench:
    def __init__(self, folder: Path, good: Mapping[str, str]) -> None:
        self.stamp = folder / "stamp"
        self.stamp.touch()
        make_configured_tree(folder / "tree")
        repository = Repository(folder / "tree")
        environment = {**os.environ, "STAMP": str(self.stamp)}
        builder = Builder(repository, BUILD, "out/image", folder / "cache", 20.0, environment)
        self.said: list[str] = []
        self.tree = ConfigTree(builder, repository.commit("main"), "IMAGE", ".config", good, self.said.append)

    @property
    def builds(self) -> int:
        return self.stamp.read_text().count("x")


def _found(good: Mapping[str, str], text: str) -> tuple[Difference, ...]:
    return config_differences(good, {**good, **parse_config(text, "bad")})


def test_each_position_is_built_once_with_the_merge(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, BASE)
    found = _found(BASE, "CONFIG_B=y\nCONFIG_C=y\n")
    span = bench.tree.span((), found)
    assert span.labels == ("the good configuration", "CONFIG_B: absent → y", "CONFIG_C: absent → y")
    images = [Path(span.prepare(position).values["IMAGE"]).read_text() for position in (0, 1, 2, 1)]
    assert [image.replace("x\n", "") for image in images] == [
        "CONFIG_A=y\n",
        "CONFIG_A=y\nCONFIG_B=y\n",
        "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n",
        "CONFIG_A=y\nCONFIG_B=y\n",
    ]
    assert bench.builds == 3
    # Another process, or the same set in another order, finds it in the cache.
    bench.tree._built.clear()
    assert bench.tree.span([found[0]], [found[1]]).prepare(0).took_s == 0.0
    assert bench.builds == 3


def test_what_the_build_makes_the_same_is_the_same_position_and_said(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, BASE)
    found = _found(BASE, "CONFIG_TRACE=y\nCONFIG_B=y\nCONFIG_DEBUG=y\n")
    span = bench.tree.span((), found)
    places = [span.prepare(position) for position in range(4)]
    # The images would differ by the stamp; the configurations that were used do not.
    assert places[0].digest == places[1].digest
    assert len({place.digest for place in places}) == 3
    assert bench.said == [
        "CONFIG_TRACE: absent → y: the build did not take all: CONFIG_TRACE is n; what they depend on may come later"
    ]


def test_a_configuration_that_does_not_build_cannot_be_tested(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, BASE)
    span = bench.tree.span((), _found(BASE, "CONFIG_HALF=y\nCONFIG_OTHER_HALF=y\n"))
    with pytest.raises(CannotTest, match="other half is missing"):
        span.prepare(1)
    assert span.prepare(2).digest


def test_two_configurations_that_become_one_are_refused(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, BASE)
    with pytest.raises(InputError, match="same of both configurations: CONFIG_TRACE is n"):
        bench.tree.require_difference(_found(BASE, "CONFIG_TRACE=y\n"))
    with pytest.raises(InputError, match=r"(?s)bad configuration cannot be tested.*other half"):
        bench.tree.require_difference(_found(BASE, "CONFIG_HALF=y\n"))
    bench.tree.require_difference(_found(BASE, "CONFIG_B=y\n"))


def test_what_does_not_build_in_one_order_is_told_apart_in_the_other(tmp_path: Path) -> None:
    good = {**BASE, "CONFIG_E": "y"}
    bench = _Bench(tmp_path, good)
    symbols = ("HALF=y", "B=y", "DEBUG=y", "TRACE=y", "OTHER_HALF=y", "E=n", "F=y")
    found = _found(good, "".join(f"CONFIG_{symbol}\n" for symbol in symbols))

    def rate(values: Mapping[str, str]) -> float:
        return 0.5 if {"CONFIG_B=y", "CONFIG_TRACE=y"} <= set(Path(values["IMAGE"]).read_text().split()) else 0.0

    engine = searcher(tmp_path, rate)
    minimum = asyncio.run(minimise(engine, bench.tree.span, found, Question(len(found), confidence=0.99), {}))
    # DEBUG brings TRACE with it, so that TRACE itself is not needed.
    assert {one.key for one in minimum.needed} == {"CONFIG_B", "CONFIG_DEBUG"}
    assert bench.tree.brought_along(minimum.needed) == ["the build changes with it: CONFIG_TRACE is y"]
    assert bench.tree.brought_along([found[0]]) == []
