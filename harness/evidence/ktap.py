"""Read KTAP version 1, and TAP 13 and 14 as far as the kernel's tests write them.

Source: Linux Documentation/dev-tools/ktap.rst. The report may come over a serial port: lines end in ``\\r\\n``, other
output comes between them, kernel timestamps may stand in front, and the machine may die in the middle of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from harness.evidence.lines import cut_lines
from harness.evidence.subresults import Figures, Report, Status, SubResult, Trouble, TroubleKind, parse_figures

__all__ = ["parse_ktap"]

_VERSION = re.compile(r"(?:KTAP version 1|TAP version 1[34])\s*$")
_PLAN = re.compile(r"1\.\.(\d{1,9})\s*(?:#\s*(.*))?$")
_RESULT = re.compile(r"(not ok|ok)\b(?:\s+(\d{1,9})\b)?(?:\s*-\s+|\s+)?([^#]*?)\s*(?:#\s*(.*))?$")
_DIRECTIVE = re.compile(r"(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\w*\b:?\s*(.*)$", re.IGNORECASE)
# printk puts "[    1.234567] " in front, with CONFIG_PRINTK_CALLER also "[    T1] ".
_PRINTK = re.compile(r"\[\s*\d{1,12}\.\d{1,9}\](?:\[\s*[CT]\d{1,9}\])? ?")
_BURIED = re.compile(r"(?:^|\W)(?:not )?ok \d+\b|ok \d+ .*\bok \d+ ")


# One indentation level while it is open; results of closed levels wait in `children` for the name above them.
@dataclass(slots=True)
class _Level:
    indent: int
    line: int
    plan: int | None = None
    seen: list[int] = field(default_factory=list)
    children: list[SubResult] = field(default_factory=list)


class _Parser:
    def __init__(self) -> None:
        self.stack: list[_Level] = []
        self.done: list[SubResult] = []
        self.orphans: list[SubResult] = []
        self.notes: list[str] = []
        self.figures: list[Figures] = []
        self.troubles: dict[tuple[TroubleKind, str], Trouble] = {}

    def trouble(self, kind: TroubleKind, line: int | None, text: str, key: str | None = None) -> None:
        # Equal kinds (and keys) are counted in one entry: noise of any length makes a report of bounded length.
        known = self.troubles.get((kind, text if key is None else key))
        entry = Trouble(kind, line, 1, text[:200]) if known is None else replace(known, count=known.count + 1)
        self.troubles[(kind, text if key is None else key)] = entry

    def note(self, text: str) -> None:
        self.notes.append(text)
        if (figures := parse_figures(text)) is not None:
            self.figures.append(figures)

    def feed(self, number: int, line: str) -> None:
        if stamp := _PRINTK.match(line):
            line = line[stamp.end() :]
        text = line.lstrip(" \t")
        indent = len(line) - len(text)
        text = text.rstrip()
        if not text:
            return
        if _VERSION.match(text):
            self.version(number, indent)
        elif not self.stack:
            kind = TroubleKind.BROKEN_RESULT if _RESULT.match(text) and _BURIED.search(text) else None
            self.trouble(kind or TroubleKind.OTHER_OUTPUT, number, text, "" if kind is None else None)
        elif text.startswith("#"):
            self.note(text[1:].strip())
        elif plan := _PLAN.match(text):
            self.plan(number, indent, int(plan[1]), plan[2])
        elif (result := _RESULT.match(text)) and (result[2] or result[3] or result[4] or text in ("ok", "not ok")):
            self.result(number, indent, result)
        elif text.startswith("Bail out!"):
            self.trouble(TroubleKind.BAILED_OUT, number, text.removeprefix("Bail out!").strip())
        elif _BURIED.search(text):
            self.trouble(TroubleKind.BROKEN_RESULT, number, text)
        else:
            self.trouble(TroubleKind.OTHER_OUTPUT, number, text, "")

    def version(self, number: int, indent: int) -> None:
        while self.stack and self.stack[-1].indent > indent:
            self.close_without_result()
        if self.stack and self.stack[-1].indent == indent:
            again = self.stack[-1]
            if len(self.stack) == 1:
                self.trouble(TroubleKind.STARTED_AGAIN, number, f"the first began in line {again.line}")
                self.end_level(self.stack.pop())
                self.done += again.children
            else:
                self.close_without_result()
        self.stack.append(_Level(indent, number))

    def plan(self, number: int, indent: int, count: int, rest: str | None) -> None:
        level = self.level_for(indent)
        if level.plan is not None:
            self.trouble(TroubleKind.BAD_PLAN, number, f"1..{count} after 1..{level.plan}")
            return
        level.plan = count
        directive = _DIRECTIVE.match(rest) if rest else None
        if count == 0 and directive and directive[1].upper() == "SKIP":
            level.children.append(SubResult((), Status.SKIP, None, number, 0, (directive[2],)))

    def result(self, number: int, indent: int, match: re.Match[str]) -> None:
        level = self.level_for(indent)
        test = int(match[2]) if match[2] else len(level.seen) + 1
        self.check_number(number, level, test)
        name = match[3].strip() or f"test {test}"
        status, rest = _status(match[1], match[4])
        if rest:
            self.note(rest)
        below, self.orphans = self.orphans, []
        if status is Status.PASS and any(child.status.failed for child in below):
            self.trouble(TroubleKind.PARENT_DISAGREES, number, name)
        level.children += [replace(child, name=(name, *child.name)) for child in below]
        own = SubResult((name,), status, test, number, len(below), tuple(self.notes), tuple(self.figures))
        level.children.append(own)
        self.notes, self.figures = [], []

    def check_number(self, number: int, level: _Level, test: int) -> None:
        expected = level.seen[-1] + 1 if level.seen else 1
        if test > expected:
            gap = f"{expected}" if test == expected + 1 else f"{expected} to {test - 1}"
            self.trouble(TroubleKind.NUMBER_MISSING, number, f"{test} came where {expected} was due; missing: {gap}")
        elif test < expected:
            self.trouble(TroubleKind.NUMBER_REPEATED, number, f"{test} came where {expected} was due")
        level.seen.append(test)

    def level_for(self, indent: int) -> _Level:
        # A result closes all deeper levels: their results become its subtests. Indentation that matches no open
        # level belongs to the nearest one outside, so a stray space loses nothing.
        while len(self.stack) > 1 and self.stack[-1].indent > indent:
            level = self.stack.pop()
            self.end_level(level)
            self.orphans += level.children
        return self.stack[-1]

    def close_without_result(self) -> None:
        level = self.stack.pop()
        self.end_level(level)
        self.trouble(TroubleKind.UNCLOSED, level.line, "its subtests are listed under ?")
        named = [replace(child, name=("?", *child.name)) for child in level.children]
        (self.stack[-1].children if self.stack else self.done).extend(named)

    def end_level(self, level: _Level) -> None:
        count = len(level.seen)
        if level.plan is None:
            self.trouble(TroubleKind.NO_PLAN, level.line, f"{count} results came, how many were meant is unknown")
        elif count < level.plan:
            self.trouble(TroubleKind.SHORT, level.line, f"{count} of {level.plan} came")
        elif count > level.plan:
            self.trouble(TroubleKind.LONG, level.line, f"{count} came, {level.plan} were planned")

    def finish(self) -> Report:
        if not self.stack:
            self.trouble(TroubleKind.NO_REPORT, None, "no line says 'KTAP version 1'")
        while len(self.stack) > 1:
            self.close_without_result()
        if self.stack:
            self.end_level(self.stack[0])
            self.done += self.stack[0].children
        self.done += [replace(child, name=("?", *child.name)) for child in self.orphans]
        return Report(tuple(self.done), tuple(self.troubles.values()), tuple(self.notes), tuple(self.figures))


def _status(word: str, rest: str | None) -> tuple[Status, str]:
    directive = _DIRECTIVE.match(rest) if rest else None
    if directive is None:
        return (Status.PASS if word == "ok" else Status.FAIL), rest or ""
    return Status(directive[1].upper()), directive[2]


def parse_ktap(chunks: Iterable[bytes]) -> Report:
    """Read a KTAP report from any pieces of its bytes; never raises, whatever the bytes are.

    A report whose plan is not met, that was cut, or whose lines were damaged is not ``complete``, and its
    ``problems`` say where. A last line without its end is not read as a result: it may be a part of one.
    """
    parser = _Parser()
    for number, (raw, ended) in enumerate(cut_lines(chunks), 1):
        line = raw.decode("utf-8", "backslashreplace")
        if ended:
            parser.feed(number, line)
        else:
            parser.trouble(TroubleKind.CUT, number, line)
    return parser.finish()
