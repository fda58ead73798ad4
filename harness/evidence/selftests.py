"""Say what the KVM selftests answered, as one KTAP report that is kept as the output of their step.

Source: Linux tools/testing/selftests/kselftest.h (KSFT_PASS 0, KSFT_SKIP 4, every other status a failure) and
tools/testing/selftests/kvm/lib/assert.c, which writes the failed assertion to standard error and ends with status 254.
Many of the programs print TAP of their own; its results then are subtests of the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.evidence.ktap import parse_ktap
from harness.evidence.subresults import Report, Status

__all__ = ["KSFT_SKIP", "Selftest", "parse_selftests", "programs", "render_selftests", "status_of"]

#: Exit status of a program that cannot run here.
KSFT_SKIP = 4
# Enough for the assertion and its back trace; of a longer output the end is kept, where the reason stands.
_KEPT_LINES = 40
_LINE_CHARACTERS = 300
_TAP = re.compile(r"(?:TAP version 1[34]|KTAP version 1)\s*$")
_SKIPPED = re.compile(r"1\.\.0\s*#\s*SKIP\w*\s*-?\s*(.*)$")
_PRINTED = re.compile(r"[^\x20-\x7e\t]")


@dataclass(frozen=True, slots=True)
class Selftest:
    """Hold how one program ended. ``status`` is None where a signal or its time limit ended it."""

    name: str
    status: int | None
    timed_out: bool
    duration_s: float
    stdout: bytes
    stderr: bytes


def status_of(test: Selftest) -> Status:
    """Return what the exit status means; a program that did not end in its time has failed."""
    if test.timed_out:
        return Status.TIMEOUT
    return {0: Status.PASS, KSFT_SKIP: Status.SKIP}.get(test.status if test.status is not None else -1, Status.FAIL)


def render_selftests(tests: Sequence[Selftest]) -> str:
    """Write the report: a test line for each program, its own TAP as subtests, any other output as diagnostics."""
    lines = ["KTAP version 1", f"1..{len(tests)}"]
    for number, test in enumerate(tests, start=1):
        lines += _own_words(test)
        lines.append(f"# {_ended(test)}")
        lines.append(_test_line(number, test))
    return "\n".join(lines) + "\n"


def parse_selftests(output: str) -> Report:
    """Read what :func:`render_selftests` wrote."""
    return parse_ktap([output.encode()])


def programs(report: Report) -> dict[str, Status]:
    """Return the status of each program, without its subtests."""
    return {result.name[0]: result.status for result in report.subresults if len(result.name) == 1}


def _test_line(number: int, test: Selftest) -> str:
    status = status_of(test)
    if status is Status.SKIP:
        return f"ok {number} {test.name} # SKIP {_why_skipped(test)}"
    return f"{'ok' if status is Status.PASS else 'not ok'} {number} {test.name}{' # TIMEOUT' * test.timed_out}"


def _ended(test: Selftest) -> str:
    if test.timed_out:
        return f"not done after {test.duration_s:.1f} s"
    how = "killed by a signal" if test.status is None else f"exit_status={test.status}"
    return f"{how} duration_s={test.duration_s:.2f}"


def _why_skipped(test: Selftest) -> str:
    for line in _lines(test.stdout):
        if match := _SKIPPED.match(line.strip()):
            return match[1] or "it does not say why"
    return "it does not say why"


def _own_words(test: Selftest) -> list[str]:
    lines = _lines(test.stdout)
    start = next((at for at, line in enumerate(lines) if _TAP.match(line.strip())), None)
    if start is not None:
        # All of it, or the plan would not be met. The version says that a level begins.
        return [*_quoted(_lines(test.stderr)), *(f"  {line}" for line in lines[start:])]
    return _quoted([*lines, *_lines(test.stderr)])


def _quoted(lines: Iterable[str]) -> list[str]:
    said = [line for line in lines if line.strip()]
    left_out = len(said) - _KEPT_LINES
    first = [f"# ({left_out} lines before this are left out)"] if left_out > 0 else []
    # A bar, so that no figure in a program's prose is taken for one of ours.
    return first + [f"# | {line[:_LINE_CHARACTERS]}" for line in said[-_KEPT_LINES:]]


def _lines(text: bytes) -> list[str]:
    return [_PRINTED.sub("?", line) for line in text.decode("utf-8", "replace").splitlines()]
