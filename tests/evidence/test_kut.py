from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.kut import parse_kut, read_debug_exit
from harness.evidence.subresults import Status, TroubleKind

GOLDEN = Path(__file__).parent / "golden"


def test_a_whole_run() -> None:
    report = parse_kut([(GOLDEN / "ioapic.kut").read_bytes()], qemu_status=1)
    assert report.complete and report.problems == () and report.failed == ()
    assert [result.status.value for result in report.subresults] == ["PASS", "PASS", "PASS", "XFAIL", "KFAIL", "SKIP"]
    assert report.subresults[2].name == ("ioapic", "edge", "level interrupt simultaneous")
    assert report.subresults[3].figures[0].get("vector") == 0x78


@pytest.mark.parametrize(
    ("qemu_status", "code", "status"),
    [
        (1, 0, Status.PASS),
        (3, 1, Status.FAIL),
        (77, 38, Status.SKIP),
        (255, 127, Status.ERROR),
        (35, 17, Status.FAIL),
        (0, None, None),
        (2, None, None),
        (124, None, None),
        (-9, None, None),
    ],
)
def test_exit_status(qemu_status: int, code: int | None, status: Status | None) -> None:
    end = read_debug_exit(qemu_status)
    assert (end.code, end.status) == (code, status)


@pytest.mark.parametrize(
    ("text", "qemu_status", "kind"),
    [
        ("", None, TroubleKind.NO_REPORT),
        ("PASS: a\n", None, TroubleKind.NO_SUMMARY),
        ("PASS: a\nSUMMARY: 2 tests\n", None, TroubleKind.SUMMARY_DISAGREES),
        ("FAIL: a\nSUMMARY: 1 tests\n", None, TroubleKind.SUMMARY_DISAGREES),
        ("PASS: a\nSUMMARY: 1 tests", None, TroubleKind.CUT),
        ("PASS: a\nSUMMARY: 1 tests\n", 3, TroubleKind.EXIT_DISAGREES),
        ("PASS: a\nSUMMARY: 1 tests\n", 0, TroubleKind.EXIT_DISAGREES),
        ("FAIL: a\nSUMMARY: 1 tests, 1 unexpected failures\n", 1, TroubleKind.EXIT_DISAGREES),
        ("PASS: a\nSUMMARY: 1 tests\n", 255, TroubleKind.ABORTED),
        ("PASS: a\nABORT: no memory\nSUMMARY: 1 tests\n", None, TroubleKind.ABORTED),
        ("[svsm] PASS: a\nSUMMARY: 1 tests\n", None, TroubleKind.BROKEN_RESULT),
        ("PASS: a\nSUMMARY: 1 tests\nSUMMARY: 1 tests\n", None, TroubleKind.STARTED_AGAIN),
    ],
)
def test_lost_evidence_is_named(text: str, qemu_status: int | None, kind: TroubleKind) -> None:
    report = parse_kut([text.encode()], qemu_status)
    assert kind in {trouble.kind for trouble in report.problems}
    assert not report.complete


@pytest.mark.parametrize(
    ("text", "qemu_status"),
    [
        ("FAIL: a\nSUMMARY: 1 tests, 1 unexpected failures\n", 3),
        ("XPASS: a\nSUMMARY: 1 tests, 1 unexpected failures\n", 3),
        ("SKIP: a\nSUMMARY: 1 tests, 1 skipped\n", 77),
        ("SUMMARY: 0 tests\n", 77),
    ],
)
def test_lines_and_status_agree(text: str, qemu_status: int) -> None:
    assert parse_kut([text.encode()], qemu_status).problems == ()


@given(st.lists(st.one_of(st.sampled_from([b"PASS: ", b"SUMMARY: 1 tests\n", b"\n"]), st.binary(max_size=20))))
def test_no_input_raises(pieces: list[bytes]) -> None:
    assert parse_kut(pieces) == parse_kut([b"".join(pieces)])
