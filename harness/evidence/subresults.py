"""Hold what a payload reported about itself: one result a line, whatever protocol it spoke.

:mod:`harness.evidence.ktap` and :mod:`harness.evidence.kut` both end here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Figures", "Number", "Report", "Status", "SubResult", "Trouble", "TroubleKind", "parse_figures"]

Number = int | float


class Status(StrEnum):
    """Name the result of one test with the word of its protocol."""

    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"
    #: TAP: known not to work yet; never a failure.
    TODO = "TODO"
    #: Was expected to fail, and did.
    XFAIL = "XFAIL"
    #: Was expected to fail, and passed: kvm-unit-tests counts it as an unexpected failure.
    XPASS = "XPASS"
    #: A known failure that may come or not (kvm-unit-tests).
    KFAIL = "KFAIL"
    TIMEOUT = "TIMEOUT"
    ERROR = "ERROR"

    @property
    def failed(self) -> bool:
        """Tell whether this status alone makes the payload fail."""
        return self in (Status.FAIL, Status.XPASS, Status.TIMEOUT, Status.ERROR)


@dataclass(frozen=True, slots=True)
class Figures:
    """Keep the numbers of one diagnostic line: ``# irq cpu=1 vector=0x31 count=50``.

    ``label`` is what stands before the first number (``irq``), empty for ``# calls=1000``. The order is the line's.
    """

    label: str
    values: tuple[tuple[str, Number], ...]

    def get(self, key: str) -> Number | None:
        """Return the value of ``key``; None if the line does not have it."""
        return next((value for name, value in self.values if name == key), None)


@dataclass(frozen=True, slots=True)
class SubResult:
    """Hold one result.

    ``name`` is the path of names, from the outermost test. ``number`` is the test number as printed, None where the
    protocol has none. ``subtests`` counts the results that this one sums up (0: it is a test of its own).
    ``diagnostics`` are the lines that belong to it, without ``#``; ``figures`` are the numbers in them.
    ``line`` counts from 1.
    """

    name: tuple[str, ...]
    status: Status
    number: int | None
    line: int
    subtests: int = 0
    diagnostics: tuple[str, ...] = ()
    figures: tuple[Figures, ...] = ()

    @property
    def numbers(self) -> dict[str, Number]:
        """Collect the unlabelled ``key=value`` numbers of this result; the last of equal keys wins."""
        return {key: value for line in self.figures if not line.label for key, value in line.values}


class TroubleKind(StrEnum):
    """Name what is wrong with a report, rather than with what was tested."""

    NO_REPORT = "no report"
    NO_PLAN = "no plan"
    BAD_PLAN = "plan is no number of tests, or comes twice"
    SHORT = "fewer results than planned"
    LONG = "more results than planned"
    NUMBER_MISSING = "test number missing"
    NUMBER_REPEATED = "test number repeated or out of order"
    UNCLOSED = "a group of subtests without its own result"
    PARENT_DISAGREES = "a test passed although a subtest of it failed"
    BAILED_OUT = "the payload gave up"
    ABORTED = "the payload aborted"
    BROKEN_RESULT = "a result line broken by other output"
    CUT = "the last line has no end"
    STARTED_AGAIN = "a second report began"
    NO_SUMMARY = "no summary line"
    SUMMARY_DISAGREES = "the summary does not match the lines"
    EXIT_DISAGREES = "the exit status does not match the lines"
    OTHER_OUTPUT = "lines that are no part of the protocol"


# KTAP allows foreign lines between the results ("Unknown lines" in Documentation/dev-tools/ktap.rst); a test whose
# verdict contradicts its subtest is complete evidence of a bad test.
_HARMLESS = frozenset({TroubleKind.OTHER_OUTPUT, TroubleKind.PARENT_DISAGREES})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Point at something wrong with the report: ``line`` is where first (None: nowhere), ``count`` how often."""

    kind: TroubleKind
    line: int | None
    count: int
    text: str

    @property
    def loses_evidence(self) -> bool:
        """Tell whether results may be missing or wrong because of it."""
        return self.kind not in _HARMLESS

    def __str__(self) -> str:
        """Render as one sentence."""
        where = "" if self.line is None else f"line {self.line}: "
        often = "" if self.count == 1 else f" ({self.count} times)"
        return f"{where}{self.kind}{often}: {self.text}" if self.text else f"{where}{self.kind}{often}"


@dataclass(frozen=True, slots=True)
class Report:
    """Hold all results of one payload, in the order of their lines, and what is wrong with the report.

    ``loose`` are diagnostics that came after the last result, ``loose_figures`` their numbers.
    """

    subresults: tuple[SubResult, ...]
    problems: tuple[Trouble, ...]
    loose: tuple[str, ...] = ()
    loose_figures: tuple[Figures, ...] = ()

    @property
    def complete(self) -> bool:
        """Tell whether every result that the payload meant to give is here, undamaged."""
        return not any(trouble.loses_evidence for trouble in self.problems)

    @property
    def failed(self) -> tuple[SubResult, ...]:
        """Return the results that are failures by themselves."""
        return tuple(result for result in self.subresults if result.status.failed)

    @property
    def figures(self) -> tuple[Figures, ...]:
        """Return all numbers of the report, in the order of their lines."""
        return tuple(line for result in self.subresults for line in result.figures) + self.loose_figures

    def find(self, *name: str) -> SubResult | None:
        """Find a result by its path of names; None if it was never reported."""
        return next((result for result in self.subresults if result.name == name), None)


_PAIR = re.compile(r"(?:^|(?<=[\s,;(]))([A-Za-z_][\w.\[\]/-]*)=(-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?))(?=$|[\s,;)])")


def parse_figures(text: str) -> Figures | None:
    """Read the ``key=number`` pairs of one diagnostic line; None if it has none.

    Numbers are decimal, 0x hexadecimal or with a decimal point. A value of any other kind is left in the text.
    """
    pairs = list(_PAIR.finditer(text))
    if not pairs:
        return None
    values = tuple((pair[1], _number(pair[2])) for pair in pairs)
    return Figures(text[: pairs[0].start()].strip().rstrip(":").rstrip(), values)


def _number(text: str) -> Number:
    if "." in text:
        return float(text)
    return int(text, 16) if "x" in text.lower() else int(text)
