"""What KVM selftests answered: exit status, skip code, TAP of their own, and noise."""

from __future__ import annotations

import pytest

from harness.evidence.selftests import Selftest, parse_selftests, programs, render_selftests, status_of
from harness.evidence.subresults import Status

TAP = b"TAP version 13\n1..2\nok 1 set_regs\n%s 2 get_regs\n# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0\n"
# As lib/assert.c of Linux 6.1 prints it.
ASSERTION = b"""==== Test Assertion Failure ====
  x86_64/cpuid_test.c:51: entry->eax == eax
  pid=171 tid=171 errno=0 - Success
     1\t0x0000000000402a55: main at cpuid_test.c:195
  CPUID 0x1.0 differ
"""


def ran(name: str, status: int | None = 0, out: bytes = b"", err: bytes = b"", *, late: bool = False) -> Selftest:
    return Selftest(name, status, late, 0.51, out, err)


@pytest.mark.parametrize(
    ("test", "status"),
    [
        (ran("a", 0), Status.PASS),
        (ran("a", 4), Status.SKIP),
        (ran("a", 1), Status.FAIL),
        (ran("a", 254), Status.FAIL),
        (ran("a", None), Status.FAIL),
        (ran("a", None, late=True), Status.TIMEOUT),
        (ran("a", 0, late=True), Status.TIMEOUT),
    ],
)
def test_the_exit_status_decides(test: Selftest, status: Status) -> None:
    assert status_of(test) is status
    report = parse_selftests(render_selftests([test]))
    assert report.complete, report.problems
    assert programs(report) == {"a": status}


def test_a_skip_says_why() -> None:
    out = b"1..0 # SKIP - Requirement not met: kvm_cpu_has(X86_FEATURE_VMX)\n"
    (found,) = parse_selftests(render_selftests([ran("vmx_msrs_test", 4, out)])).subresults
    assert found.diagnostics[-1] == "Requirement not met: kvm_cpu_has(X86_FEATURE_VMX)"


def test_the_assertion_and_the_time_are_kept() -> None:
    (found,) = parse_selftests(render_selftests([ran("cpuid_test", 254, b"", ASSERTION)])).subresults
    assert "|   x86_64/cpuid_test.c:51: entry->eax == eax" in found.diagnostics
    assert found.numbers == {"exit_status": 254, "duration_s": 0.51}


@pytest.mark.parametrize(("word", "status"), [(b"ok", 0), (b"not ok", 1)])
def test_a_programs_own_tap_is_its_subtests(word: bytes, status: int) -> None:
    report = parse_selftests(render_selftests([ran("first"), ran("sync_regs_test", status, TAP % word), ran("last")]))
    assert report.complete, report.problems
    second = Status.PASS if status == 0 else Status.FAIL
    assert [(result.name, result.status) for result in report.subresults] == [
        (("first",), Status.PASS),
        (("sync_regs_test", "set_regs"), Status.PASS),
        (("sync_regs_test", "get_regs"), second),
        (("sync_regs_test",), second),
        (("last",), Status.PASS),
    ]
    assert list(programs(report)) == ["first", "sync_regs_test", "last"]


def test_a_tap_that_breaks_off_loses_evidence() -> None:
    cut = TAP.split(b"not")[0].split(b"%s")[0]
    report = parse_selftests(render_selftests([ran("sync_regs_test", 254, cut)]))
    assert not report.complete
    assert programs(report) == {"sync_regs_test": Status.FAIL}


@pytest.mark.parametrize(
    "noise",
    [
        b"ok 1 not mine\nnot ok 2 either\n",
        b"\x00\xff\x1b[31m\n",
        b"1..5\n",
        b"KTAP version 1 is what we print\n",
        b"x" * 5000,
    ],
)
def test_noise_does_not_become_a_result(noise: bytes) -> None:
    report = parse_selftests(render_selftests([ran("a", 0, noise), ran("b", 0, b"", noise)]))
    assert report.complete, report.problems
    assert programs(report) == {"a": Status.PASS, "b": Status.PASS}
    assert len(report.subresults) == 2


def test_of_a_long_output_the_end_is_kept() -> None:
    (found,) = parse_selftests(
        render_selftests([ran("a", 1, b"".join(b"line %d\n" % n for n in range(1000)))])
    ).subresults
    assert found.diagnostics[0] == "(960 lines before this are left out)"
    assert found.diagnostics[-2] == "| line 999"
