from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.ktap import parse_ktap
from harness.evidence.subresults import Status, TroubleKind

GOLDEN = Path(__file__).parent / "golden"


def test_the_example_of_the_kernel_documentation() -> None:
    report = parse_ktap([(GOLDEN / "nested.ktap").read_bytes()])
    assert report.complete and report.problems == ()
    assert {"/".join(result.name): result.status.value for result in report.subresults} == {
        "main_test/example_test_1/test_1": "PASS",
        "main_test/example_test_1": "PASS",
        "main_test/example_test_2/test_1": "SKIP",
        "main_test/example_test_2/test_2": "PASS",
        "main_test/example_test_2": "PASS",
        "main_test/example_test_3/test_1": "PASS",
        "main_test/example_test_3/test_2": "FAIL",
        "main_test/example_test_3/test_3": "SKIP",
        "main_test/example_test_3": "FAIL",
        "main_test": "FAIL",
        "counters": "PASS",
    }
    failed = report.find("main_test", "example_test_3", "test_2")
    assert failed is not None and failed.diagnostics == ("test_2: FAIL",)
    counters = report.find("counters")
    assert counters is not None and counters.numbers == {"calls": 1000, "answered": 1000}
    irq = next(line for line in counters.figures if line.label == "irq")
    assert (irq.get("vector"), irq.get("count"), irq.get("absent")) == (0x31, 50, None)


@pytest.mark.parametrize(
    ("line", "status", "name"),
    [
        ("ok 1 a", Status.PASS, "a"),
        ("ok 1 - a b c", Status.PASS, "a b c"),
        ("not ok 1 a", Status.FAIL, "a"),
        ("ok 1 a # SKIP no device", Status.SKIP, "a"),
        ("not ok 1 a # SKIP", Status.SKIP, "a"),
        ("ok 1 # SKIP no name", Status.SKIP, "test 1"),
        ("not ok 1 a # TODO later", Status.TODO, "a"),
        ("ok 1 a # XFAIL", Status.XFAIL, "a"),
        ("not ok 1 a # TIMEOUT 30 seconds", Status.TIMEOUT, "a"),
        ("not ok 1 a # ERROR no memory", Status.ERROR, "a"),
        ("ok 1 a # rcode=0", Status.PASS, "a"),
        ("not ok 1 a # OTHERWORD x", Status.FAIL, "a"),
        ("ok a without number", Status.PASS, "a without number"),
        ("[    3.141592] ok 1 a", Status.PASS, "a"),
        ("ok 1", Status.PASS, "test 1"),
    ],
)
def test_each_form_of_a_result_line(line: str, status: Status, name: str) -> None:
    for version in ("KTAP version 1", "TAP version 13"):
        report = parse_ktap([f"{version}\r\n1..1\r\n{line}\r\n".encode()])
        assert [(result.status, result.name) for result in report.subresults] == [(status, (name,))]
        assert report.complete


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", TroubleKind.NO_REPORT),
        ("ok 1 a\n", TroubleKind.NO_REPORT),
        ("KTAP version 1\nok 1 a\n", TroubleKind.NO_PLAN),
        ("KTAP version 1\n1..2\nok 1 a\n", TroubleKind.SHORT),
        ("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", TroubleKind.LONG),
        ("KTAP version 1\n1..1\n1..2\nok 1 a\n", TroubleKind.BAD_PLAN),
        ("KTAP version 1\n1..3\nok 1 a\nok 3 c\n", TroubleKind.NUMBER_MISSING),
        ("KTAP version 1\n1..2\nok 1 a\nok 1 a\n", TroubleKind.NUMBER_REPEATED),
        ("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\n", TroubleKind.UNCLOSED),
        ("KTAP version 1\n1..3\nok 1 a\nBail out! no memory\n", TroubleKind.BAILED_OUT),
        ("KTAP version 1\n1..1\nusb 1-1: ok 1 a\n", TroubleKind.BROKEN_RESULT),
        ("KTAP version 1\n1..1\nok 1 a", TroubleKind.CUT),
        ("KTAP version 1\n1..1\nok 1 a\nKTAP version 1\n1..1\nok 1 a\n", TroubleKind.STARTED_AGAIN),
    ],
)
def test_lost_evidence_is_named(text: str, kind: TroubleKind) -> None:
    report = parse_ktap([text.encode()])
    assert kind in {trouble.kind for trouble in report.problems}
    assert not report.complete


def test_other_output_between_results_is_counted_and_harmless() -> None:
    report = parse_ktap([b"SeaBIOS\nKTAP version 1\n1..1\nhello\nusb 1-1: new device\nok 1 a\n"])
    assert report.complete
    assert [(trouble.kind, trouble.line, trouble.count) for trouble in report.problems] == [
        (TroubleKind.OTHER_OUTPUT, 1, 3)
    ]


def test_a_parent_that_hides_a_failed_subtest_is_named() -> None:
    report = parse_ktap([b"KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nok 1 group\n"])
    assert [trouble.kind for trouble in report.problems] == [TroubleKind.PARENT_DISAGREES]
    assert [result.name for result in report.failed] == [("group", "a")]


def test_a_plan_of_none_can_skip_all() -> None:
    report = parse_ktap([b"TAP version 13\n1..0 # SKIP no SVM\n"])
    assert report.complete
    assert [(result.status, result.diagnostics) for result in report.subresults] == [(Status.SKIP, ("no SVM",))]


def test_diagnostics_after_the_last_result_are_kept() -> None:
    report = parse_ktap([b"KTAP version 1\n1..1\nok 1 a\n# total=7\n"])
    assert report.loose == ("total=7",)
    assert [line.get("total") for line in report.figures] == [7]


_WORDS = st.sampled_from(
    [b"KTAP version 1\n", b"1..2\n", b"  ", b"ok 1 a\n", b"not ok 2 b", b"\n", b"# x=1\n", b"\xff"]
)


@given(st.lists(st.one_of(_WORDS, st.binary(max_size=20)), max_size=40))
def test_no_input_raises_and_chunks_do_not_matter(pieces: list[bytes]) -> None:
    assert parse_ktap(pieces) == parse_ktap([b"".join(pieces)])


def test_every_cut_of_a_good_report_is_incomplete() -> None:
    whole = (GOLDEN / "nested.ktap").read_bytes()
    for end in range(len(whole)):
        assert not parse_ktap([whole[:end]]).complete, whole[:end]
