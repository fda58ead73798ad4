from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.report.junit import render_junit

from .sample_night import make_night


@pytest.fixture
def root(tmp_path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(render_junit(make_night(tmp_path), {"page": "report.html"}).encode())


def _case(root: ElementTree.Element, classname: str, index: int = 0) -> ElementTree.Element:
    return root.findall(f".//testcase[@classname='{classname}']")[index]


def _properties(element: ElementTree.Element) -> dict[str | None, str | None]:
    return {each.get("name"): each.get("value") for each in element.findall("properties/property")}


def test_the_counts_add_up(root: ElementTree.Element) -> None:
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
    }
    assert len(root.findall(".//testcase")) == 7
    assert len(root.findall(".//failure")) == 1


def test_rates_grades_and_links_are_properties(root: ElementTree.Element) -> None:
    suites = {suite.get("name"): _properties(suite) for suite in root.findall("testsuite")}
    often = suites["often on model"]
    assert (often["grade"], often["verdict"], often["failure_rate"], often["page"]) == (
        "model",
        "PASS",
        "0.0166667",
        "report.html",
    )
    assert float(often["failure_rate_low"] or 0) < 1 / 60 < float(often["failure_rate_high"] or 0)
    case = _properties(_case(root, "model.calls"))
    assert (case["failed"], (case["reproduce"] or "").startswith("svsm-harness repro ")) == ("1", True)


def test_what_told_nothing_is_an_error_and_no_pass(root: ElementTree.Element) -> None:
    for name in ("model.lost", "model.broken"):
        error = _case(root, name).find("error")
        assert error is not None
        assert (error.get("message") or "").startswith("[model] ")
    assert _case(root, "svsm.snp").find("skipped") is not None
    assert list(_case(root, "model.often", 1))[1:] == []


def test_a_hostile_guest_is_text(root: ElementTree.Element) -> None:
    failure = _case(root, "model.calls").find("failure")
    assert failure is not None and failure.text is not None
    assert "]]></failure><script>" in failure.text
    assert "last" in failure.text
    assert "\x00" not in failure.text and list(failure) == []
