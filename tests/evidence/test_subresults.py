from __future__ import annotations

import pytest

from harness.evidence.subresults import Number, Report, Trouble, TroubleKind, parse_figures


@pytest.mark.parametrize(
    ("text", "label", "values"),
    [
        ("calls=1000", "", [("calls", 1000)]),
        ("irq cpu=1 vector=0x31 count=50", "irq", [("cpu", 1), ("vector", 0x31), ("count", 50)]),
        ("latency: p50_us=1.5, p99_us=20", "latency", [("p50_us", 1.5), ("p99_us", 20)]),
        ("delta=-3 flavour=roy", "", [("delta", -3)]),
    ],
)
def test_numbers_of_a_diagnostic_line(text: str, label: str, values: list[tuple[str, Number]]) -> None:
    figures = parse_figures(text)
    assert figures is not None
    assert (figures.label, list(figures.values)) == (label, values)


@pytest.mark.parametrize("text", ["", "no numbers here", "flavour=roy", "a==3", "x=0x", "x=1.2.3", "v=12abc"])
def test_what_is_no_number_stays_text(text: str) -> None:
    assert parse_figures(text) is None


def test_harmless_trouble_leaves_a_report_complete() -> None:
    assert Report((), (Trouble(TroubleKind.OTHER_OUTPUT, 3, 9, "noise"),)).complete
    assert not Report((), (Trouble(TroubleKind.SHORT, 1, 1, "2 of 3 came"),)).complete
    assert str(Trouble(TroubleKind.SHORT, 1, 2, "2 of 3")) == "line 1: fewer results than planned (2 times): 2 of 3"
