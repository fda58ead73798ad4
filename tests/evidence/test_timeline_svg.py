from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.evidence.timeline import Interval, IrqMark, Lane, Span, Timeline, Violation
from harness.evidence.timeline_svg import LARGEST_LANES, draw_svg

SVG = "{http://www.w3.org/2000/svg}"


def timeline(intervals: int, lanes: int = 1, name: str = "calls") -> Timeline:
    parts = tuple(Interval(n * 10, n * 10 + 10, 0 if n % 2 else 2) for n in range(intervals))
    irqs = tuple(IrqMark(n * 10, 49, 2) for n in range(intervals))
    return Timeline(0, intervals * 10, tuple(Lane(n, parts, irqs) for n in range(lanes)), (Span(0, 50, name),))


def classes(svg: str) -> list[str]:
    return [element.get("class", "") for element in ET.fromstring(svg).iter(f"{SVG}rect")]


def test_each_interval_is_drawn_in_the_colour_of_its_vmpl() -> None:
    svg = draw_svg(timeline(4))
    assert [name for name in classes(svg) if name in ("v0", "v2")][:4] == ["v2", "v0", "v2", "v0"]
    assert "prefers-color-scheme:dark" in svg and "<script" not in svg


def test_many_intervals_are_summed_up() -> None:
    svg = draw_svg(timeline(200_000))
    assert len(svg) < 400_000
    assert "v2 mixed" in classes(svg) or "v0 mixed" in classes(svg)


def test_many_lanes_are_cut_and_counted() -> None:
    svg = draw_svg(timeline(2, lanes=LARGEST_LANES + 3))
    assert "and 3 more vCPUs" in svg


def test_text_stays_text() -> None:
    hostile = '</title><script>alert("1")</script>&\x00'
    svg = draw_svg(timeline(2, name=hostile), Violation(5, 0, hostile), title=hostile)
    assert "<script" not in svg
    texts = [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}title")]
    assert hostile.replace("\x00", "?") in texts


def test_a_violation_is_pointed_at_in_its_lane() -> None:
    svg = draw_svg(timeline(4, lanes=2), Violation(39, 1, "vector 49 lost"))
    (path, arrow) = [element for element in ET.fromstring(svg).iter(f"{SVG}path") if element.get("class") == "bad"]
    assert path.get("d", "").endswith("V104") and "vector 49 lost" in svg and arrow is not None
    assert draw_svg(timeline(0), Violation(39, None, "no lane")).count("no lane") == 2
