"""Read the output and the exit status of a kvm-unit-tests payload.

Source: kvm-unit-tests lib/report.c (the words, the summary, ``77 >> 1`` when all tests were skipped), lib/x86/io.c
exit() (the code goes to isa-debug-exit at port 0xf4), lib/abort.c (abort() is exit(127)), scripts/arch-run.bash (the
table of exit statuses). QEMU ends with ``(code << 1) | 1`` (hw/misc/debugexit.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.evidence.lines import cut_lines
from harness.evidence.subresults import Figures, Report, Status, SubResult, Trouble, TroubleKind, parse_figures

__all__ = ["DebugExit", "parse_kut", "read_debug_exit"]

# Other output on the same port may stand before the word; the colon and blank after it make it a result.
_RESULT = re.compile(r"^(PASS|FAIL|SKIP|XPASS|XFAIL|KFAIL): (.*)$")
_SUMMARY = re.compile(
    r"^SUMMARY: (\d{1,9}) tests(?:, (\d{1,9}) unexpected failures)?(?:, (\d{1,9}) known failures)?"
    r"(?:, (\d{1,9}) expected failures)?(?:, (\d{1,9}) skipped)?$"
)
_ABORT = re.compile(r"^(ABORT: .*|Unhandled (?:cpu )?exception .*|.*: assert failed: .*)$", re.IGNORECASE)
_BURIED = re.compile(r".(?:PASS|FAIL|SKIP|XPASS|XFAIL|KFAIL): ")


@dataclass(frozen=True, slots=True)
class DebugExit:
    """Say what a QEMU exit status means when the payload ends through isa-debug-exit.

    ``code`` is what the payload wrote, None where the status cannot come from the device. ``status`` is None where
    nothing is known of the tests.
    """

    code: int | None
    status: Status | None
    meaning: str


def read_debug_exit(qemu_status: int) -> DebugExit:
    """Undo ``(code << 1) | 1``.

    A QEMU that refuses its command line ends with 1 as well: a 1 is a pass only beside a report that says so.
    A negative status is the signal that ended QEMU.
    """
    if qemu_status < 0:
        return DebugExit(None, None, f"signal {-qemu_status} ended QEMU")
    if qemu_status == 0:
        return DebugExit(None, None, "QEMU ended without the payload's exit code (powered off, reset, or quit)")
    if qemu_status % 2 == 0:
        return DebugExit(None, None, f"{qemu_status} is even, so it does not come from isa-debug-exit")
    code = qemu_status >> 1
    if code == 0:
        return DebugExit(0, Status.PASS, "the payload passed")
    if code == 77 >> 1:
        return DebugExit(code, Status.SKIP, "the payload skipped all its tests")
    if code == 127:
        return DebugExit(code, Status.ERROR, "the payload called abort()")
    return DebugExit(code, Status.FAIL, f"the payload failed with code {code}")


def parse_kut(chunks: Iterable[bytes], qemu_status: int | None = None) -> Report:
    """Read the output; with ``qemu_status``, confront it with what the lines say. Never raises.

    The name of a result is the path of prefixes that ``report_prefix_push()`` made, which ``: `` separates.
    ``INFO:`` lines, and lines of no kind, become diagnostics of the next result.
    """
    results: list[SubResult] = []
    troubles: list[Trouble] = []
    notes: list[str] = []
    figures: list[Figures] = []
    summary: re.Match[str] | None = None
    for number, (raw, ended) in enumerate(cut_lines(chunks), 1):
        line = raw.decode("utf-8", "backslashreplace")
        if not ended:
            troubles.append(Trouble(TroubleKind.CUT, number, 1, line[:200]))
        elif match := _RESULT.match(line):
            name = tuple(part for part in match[2].split(": ") if part)
            results.append(SubResult(name, Status(match[1]), None, number, 0, tuple(notes), tuple(figures)))
            notes, figures = [], []
        elif match := _SUMMARY.match(line):
            if summary is not None:
                troubles.append(Trouble(TroubleKind.STARTED_AGAIN, number, 1, "a second summary"))
            summary = match
        elif _ABORT.match(line):
            troubles.append(Trouble(TroubleKind.ABORTED, number, 1, line[:200]))
        elif _BURIED.search(line):
            troubles.append(Trouble(TroubleKind.BROKEN_RESULT, number, 1, line[:200]))
        elif line:
            notes.append(line.removeprefix("INFO: "))
            if (found := parse_figures(line.removeprefix("INFO: "))) is not None:
                figures.append(found)
    troubles += _check_summary(results, summary)
    if qemu_status is not None:
        troubles += _check_exit(results, read_debug_exit(qemu_status), qemu_status)
    return Report(tuple(results), tuple(troubles), tuple(notes), tuple(figures))


def _check_summary(results: list[SubResult], summary: re.Match[str] | None) -> list[Trouble]:
    if summary is None:
        kind = TroubleKind.NO_SUMMARY if results else TroubleKind.NO_REPORT
        return [Trouble(kind, None, 1, "the payload did not reach report_summary()")]
    said = [int(group or 0) for group in summary.groups()]
    count = {status: sum(result.status is status for result in results) for status in Status}
    seen = [
        len(results),
        count[Status.FAIL] + count[Status.XPASS],
        count[Status.KFAIL],
        count[Status.XFAIL],
        count[Status.SKIP],
    ]
    words = ("tests", "unexpected failures", "known failures", "expected failures", "skipped")
    wrong = [f"{s} {word}, the lines show {n}" for s, n, word in zip(said, seen, words, strict=True) if s != n]
    return [Trouble(TroubleKind.SUMMARY_DISAGREES, None, 1, "it says " + "; ".join(wrong))] if wrong else []


def _check_exit(results: list[SubResult], end: DebugExit, qemu_status: int) -> list[Trouble]:
    if end.status is Status.ERROR:
        return [Trouble(TroubleKind.ABORTED, None, 1, end.meaning)]
    if any(result.status.failed for result in results):
        expected = Status.FAIL
    elif all(result.status is Status.SKIP for result in results):
        expected = Status.SKIP  # also without any test: report_summary() compares tests == skipped
    else:
        expected = Status.PASS
    if end.status is expected:
        return []
    text = f"QEMU ended with {qemu_status} ({end.meaning}), the lines say {expected}"
    return [Trouble(TroubleKind.EXIT_DISAGREES, None, 1, text)]
