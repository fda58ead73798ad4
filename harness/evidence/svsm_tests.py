"""Read what the tests say that COCONUT-SVSM runs inside itself, from the console that it shares with everything.

Source: kernel/src/testing.rs ("running N tests", "test NAME ...", "ignored"), kernel/src/svsm.rs (the panic, "All tests
passed!"), scripts/test-in-svsm.sh (QEMU ends with 33 after a pass, with 35 after a failure). There is no line for a
pass: the next test begins. There is none for a failure either: the SVSM panics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.evidence.lines import cut_lines
from harness.evidence.subresults import Report, Status, SubResult, Trouble, TroubleKind

__all__ = ["parse_svsm_tests"]

_PASSED_EXIT, _FAILED_EXIT = 33, 35
# "[SVSM] ", or since July 2026 "[SVSM test task] ".
_PREFIX = r"(?:\[[^\]]{1,40}\]\s+)?"
_PLAN = re.compile(_PREFIX + r"running (\d{1,6}) tests?\b")
_TEST = re.compile(_PREFIX + r"test ([\w:]{1,200}) \.\.\.(?P<ignored>.*\bignored\b)?")
_ALL = re.compile(r"Kernel tests in svsm passed!|All tests passed!")
_PANIC = re.compile(r"Panic on CPU\[|Panic: CPU\[")
_USER = re.compile(_PREFIX + r"Running tests in svsm for (\S{1,100})")
_USER_FAILED = re.compile(r"(\S{1,100}) tests failed with exit status (\S{1,20})")


def parse_svsm_tests(chunks: Iterable[bytes], qemu_status: int | None = None) -> Report:
    """Read the console; with ``qemu_status``, confront it with what the lines say. Never raises."""
    reading = _Reading()
    for number, (raw, _) in enumerate(cut_lines(chunks), 1):
        reading.line(number, raw.decode("utf-8", "backslashreplace"))
    return reading.report(qemu_status)


class _Reading:
    def __init__(self) -> None:
        self.results: list[SubResult] = []
        self.troubles: list[Trouble] = []
        self.planned: int | None = None
        self.own = 0
        # The test that was begun and has no answer yet.
        self.open: tuple[tuple[str, ...], int] | None = None

    def line(self, number: int, line: str) -> None:
        if match := _PLAN.match(line):
            if self.planned is not None:
                self.troubles.append(Trouble(TroubleKind.STARTED_AGAIN, number, 1, line[:200]))
            self.planned = int(match[1])
        elif match := _TEST.match(line):
            self.answer(Status.PASS)
            self.own += 1
            self.open = ((match[1],), number)
            if match["ignored"]:
                self.answer(Status.SKIP)
        elif _PANIC.search(line):
            self.answer(Status.FAIL)
        elif match := _USER.match(line):
            self.answer(Status.PASS)
            self.open = (("user", match[1]), number)
        elif match := _USER_FAILED.search(line):
            self.open = self.open or (("user", match[1]), number)
            self.answer(Status.FAIL)
        elif _ALL.search(line):
            self.answer(Status.PASS)

    def answer(self, status: Status) -> None:
        if self.open is not None:
            name, line = self.open
            self.results.append(SubResult(name, status, None, line))
            self.open = None

    def report(self, qemu_status: int | None) -> Report:
        if self.open is not None:
            # The device that ends QEMU speaks before the console does.
            ended = {_PASSED_EXIT: Status.PASS, _FAILED_EXIT: Status.FAIL}.get(qemu_status or 0)
            if ended is None:
                self.troubles.append(Trouble(TroubleKind.SHORT, self.open[1], 1, f"{self.open[0][-1]} never ended"))
            else:
                self.answer(ended)
        if self.planned is None:
            why = "no line says how many tests there are; is it a test build with enable-console-log?"
            self.troubles.append(Trouble(TroubleKind.NO_REPORT, None, 1, why))
        elif self.own != self.planned and not any(result.status.failed for result in self.results):
            kind = TroubleKind.SHORT if self.own < self.planned else TroubleKind.LONG
            self.troubles.append(Trouble(kind, None, 1, f"{self.own} of {self.planned} tests"))
        failed = any(result.status.failed for result in self.results)
        if qemu_status is not None and self.planned is not None and (qemu_status == _PASSED_EXIT) == failed:
            said = "a failure" if failed else "no failure"
            text = f"QEMU ended with {qemu_status}, the lines show {said}"
            self.troubles.append(Trouble(TroubleKind.EXIT_DISAGREES, None, 1, text))
        return Report(tuple(self.results), tuple(self.troubles))
