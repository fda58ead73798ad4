from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.subresults import Status, TroubleKind
from harness.evidence.svsm_tests import parse_svsm_tests

PASS = (
    b"[SVSM] COCONUT Secure Virtual Machine Service Module Version v2026.07\r\n"
    b"[SVSM] running 3 tests\r\n"
    b"[SVSM test task] test cpu::apic::tests::test_ipi ...\r\n"
    b"[request-loop on CPU 1] something in between\r\n"
    b"[SVSM test task] test mm::test_alloc ... ignored, needs SNP\r\n"
    b"test fs::test_ramfs ...\r\n"
    b"[SVSM test task] Kernel tests in svsm passed!\r\n"
    b"[SVSM] All tests passed!\r\n"
)
PANIC = (
    b"[SVSM] running 3 tests\n[SVSM] test a::one ...\n[SVSM] test a::two ...\n"
    b"[SVSM] ERROR: Panic on CPU[0]! COCONUT-SVSM Version: v\n[SVSM] ERROR: Info: panicked at a.rs:1:2:\n"
)


def named(text: bytes, status: int | None = None) -> dict[str, Status]:
    return {result.name[-1]: result.status for result in parse_svsm_tests([text], status).subresults}


@pytest.mark.parametrize("status", [33, None])
def test_a_pass_is_the_beginning_of_the_next(status: int | None) -> None:
    report = parse_svsm_tests([PASS], status)
    assert report.complete and not report.failed
    assert named(PASS, status) == {
        "cpu::apic::tests::test_ipi": Status.PASS, "mm::test_alloc": Status.SKIP, "fs::test_ramfs": Status.PASS,
    }  # fmt: skip


@pytest.mark.parametrize("status", [35, None])
def test_a_failure_is_a_panic_and_the_last_test_that_began_is_its_name(status: int | None) -> None:
    report = parse_svsm_tests([PANIC], status)
    assert [result.name for result in report.failed] == [("a::two",)]
    assert named(PANIC, status)["a::one"] is Status.PASS
    assert report.complete


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        (b"", None, TroubleKind.NO_REPORT),
        (b"COCONUT\n", 33, TroubleKind.NO_REPORT),
        (b"running 2 tests\ntest a ...\n", None, TroubleKind.SHORT),
        (b"running 2 tests\ntest a ...\n", 33, TroubleKind.SHORT),
        (b"running 1 tests\ntest a ...\ntest b ...\nAll tests passed!\n", 33, TroubleKind.LONG),
        (b"running 1 tests\nrunning 1 tests\ntest a ...\n", 33, TroubleKind.STARTED_AGAIN),
        (PASS, 35, TroubleKind.EXIT_DISAGREES),
        (PASS, 1, TroubleKind.EXIT_DISAGREES),
        (PANIC, 33, TroubleKind.EXIT_DISAGREES),
    ],
)
def test_what_is_not_whole_loses_evidence(text: bytes, status: int | None, kind: TroubleKind) -> None:
    report = parse_svsm_tests([text], status)
    assert kind in {trouble.kind for trouble in report.problems} and not report.complete


def test_the_exit_status_decides_where_the_console_stopped_first() -> None:
    text = b"running 1 tests\ntest a ...\n"
    assert named(text, 33) == {"a": Status.PASS} and named(text, 35) == {"a": Status.FAIL}


def test_user_tests_have_names_of_their_own() -> None:
    text = PASS + b"[SVSM] Running tests in svsm for /test/one\n[SVSM] Running tests in svsm for /test/two\n"
    assert named(text + b"[SVSM] /test/two tests failed with exit status 3\n", 35)["/test/two"] is Status.FAIL
    assert named(text + b"[SVSM] All tests passed!\n", 33)["/test/two"] is Status.PASS


@given(st.binary(max_size=400), st.sampled_from([None, 0, 1, 33, 35, -11]))
def test_hostile_input_never_raises(text: bytes, status: int | None) -> None:
    parse_svsm_tests([b"running 2 tests\ntest ", text], status)
