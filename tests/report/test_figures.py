from __future__ import annotations

import base64
import builtins
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.report.figures import can_draw, draw_phases, image_of

TIMES = {"kernel": [1.0, 2.0, 3.0], "ready": [4.0]}


def test_phases_are_drawn_in_the_readers_colours() -> None:
    pytest.importorskip("matplotlib")
    svg = draw_phases("a & b", TIMES, {"kernel": [1.5]})
    assert svg is not None
    text = "".join(ElementTree.fromstring(svg.encode()).itertext())
    assert "kernel" in text and "ready" in text and "a & b" in text
    assert "prefers-color-scheme:dark" in svg
    assert "#0102" not in svg  # every colour that stands for one of the theme has become it
    assert "script" not in svg


def test_a_drawing_is_the_same_each_time_and_of_bounded_size() -> None:
    pytest.importorskip("matplotlib")
    many = {"ready": [number / 1000 for number in range(100_000)]}
    svg = draw_phases("t", many, {})
    assert svg == draw_phases("t", many, {})
    assert svg is not None and len(svg) < 100_000


def test_nothing_to_draw() -> None:
    assert draw_phases("t", {}, {}) is None


def test_without_matplotlib_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    there = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return there(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    can_draw.cache_clear()
    try:
        assert draw_phases("t", TIMES, {}) is None
    finally:
        can_draw.cache_clear()


def test_an_image_is_its_svg() -> None:
    head, _, data = image_of("<svg>ü</svg>").partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == "<svg>ü</svg>"
