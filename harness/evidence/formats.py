"""Read the ``format`` files of tracepoints: which fields a kernel's events have, and in which words it prints them.

Source: Linux kernel/trace/trace_events.c f_show(): ``name:``, ``ID:``, the fields one a line, and ``print fmt:`` with
the TP_printk string and its arguments. Two kernels print one event in different words, so what exists is read here and
never concluded from a version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.evidence.trace_text import KNOWN_EVENTS, decode_text, hexadecimal_fields

__all__ = ["EventFormat", "FieldFormat", "Printed", "parse_formats", "unfamiliar"]


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """Hold one field of the event's record."""

    name: str
    c_type: str
    offset_bytes: int
    size_bytes: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Printed:
    """Hold one conversion of the print format: the word before it, the conversion, and the fields it prints.

    ``optional`` is the text of a ``%s`` that prints it or nothing (``[immediate exit]``), empty for all others.
    """

    label: str
    conversion: str
    fields: tuple[str, ...]
    optional: str = ""

    @property
    def bare_hexadecimal(self) -> bool:
        """Tell whether it prints hexadecimal digits; the caller knows whether 0x stands before it."""
        return self.conversion.endswith("x")


@dataclass(frozen=True, slots=True)
class EventFormat:
    """Hold one tracepoint. ``fields`` leave out the common ones. ``text`` is the printf string."""

    name: str
    id: int
    fields: tuple[FieldFormat, ...]
    text: str
    printed: tuple[Printed, ...]

    @property
    def field_names(self) -> frozenset[str]:
        """Return the names of the fields, for :class:`harness.evidence.flavour.KernelFacts`."""
        return frozenset(field.name for field in self.fields)


_FIELD = re.compile(r"^\tfield:(?P<decl>[^;]+);\toffset:(\d+);\tsize:(\d+);\tsigned:([01]);$")
_NAME = re.compile(r"(?P<type>.*?)\s*\b(?P<name>\w+)(?:\[[^\]]*\])?$")
_PRINT = re.compile(r'^print fmt: "(?P<text>(?:[^"\\]|\\.)*)"(?:, (?P<arguments>.*))?$')
_CONVERSION = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?(?:hh|h|ll|l|z)?[diuxXscp]")
_LABEL = re.compile(r"([A-Za-z_][\w ]*?)[ =:]+(?:0x)?$")
_RECORD = re.compile(r"REC->(\w+)")
_OPTIONAL = re.compile(r'\? "([^"]+)" : ""$')


def parse_formats(text: str) -> dict[str, EventFormat]:
    """Read any number of format files, one behind the other; parts that are no format file are ignored."""
    found: dict[str, EventFormat] = {}
    name, number = "", 0
    fields: list[FieldFormat] = []
    for line in text.splitlines():
        if line.startswith("name: "):
            name, number, fields = line[6:].strip(), 0, []
        elif line.startswith("ID: ") and line[4:].strip().isdecimal():
            number = int(line[4:])
        elif (match := _FIELD.match(line)) is not None:
            declared = _NAME.match(match["decl"])
            if declared is not None and not declared["name"].startswith("common_"):
                fields.append(
                    FieldFormat(declared["name"], declared["type"], int(match[2]), int(match[3]), match[4] == "1")
                )
        elif name and (match := _PRINT.match(line)) is not None:
            printed = tuple(_conversions(match["text"], match["arguments"] or ""))
            found[name] = EventFormat(name, number, tuple(fields), match["text"], printed)
            name = ""
    return found


def _conversions(text: str, arguments: str) -> Iterable[Printed]:
    given = _split_arguments(arguments)
    plain = text.replace("%%", "\0\0")
    for number, match in enumerate(_CONVERSION.finditer(plain)):
        # What the reader sees before the value; an earlier conversion ends it.
        before = re.split(_CONVERSION, plain[: match.start()])[-1]
        label = _LABEL.search(before)
        argument = given[number] if number < len(given) else ""
        optional = _OPTIONAL.search(argument)
        yield Printed(
            label[1].strip() if label else "",
            match[0],
            tuple(dict.fromkeys(_RECORD.findall(argument))),
            optional[1] if optional else "",
        )


# Commas inside calls, braces and strings do not separate arguments.
def _split_arguments(text: str) -> list[str]:
    arguments: list[str] = []
    depth, start, quoted = 0, 0, False
    for at, char in enumerate(text):
        if char == '"' and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
        elif char == "," and depth == 0:
            arguments.append(text[start:at].strip())
            start = at + 1
    rest = text[start:].strip()
    return [*arguments, rest] if rest else arguments


_SAMPLES = {"d": "1", "i": "1", "u": "1", "x": "1", "X": "1", "p": "1", "c": "c"}


def unfamiliar(formats: Iterable[EventFormat]) -> tuple[str, ...]:
    """List what a kernel prints that the decoder does not know, one sentence an event; empty if it knows all.

    A line is made of each print format, with 1 for each number, and decoded. Events that the decoder has no fields for
    are left out: they are counted by name, and nothing is concluded from them.
    """
    sentences = []
    for known in formats:
        if known.name not in KNOWN_EVENTS:
            continue
        decoded = decode_text(known.name, _sample_line(known))
        if decoded is None:
            sentences.append(f"{known.name}: the decoder cannot read {known.text!r}")
        elif not decoded.familiar:
            more = ", ".join(key for key, _ in decoded.fields.extra)
            sentences.append(f"{known.name}: prints what no known flavour prints ({more})")
        else:
            bare = {word.label for word in known.printed if word.bare_hexadecimal}
            wrong = sorted(label for label in bare & set(decoded.fields._fields) - hexadecimal_fields(known.name))
            sentences += [f"{known.name}: {label} is printed in hexadecimal, and read as decimal" for label in wrong]
    return tuple(sentences)


def _sample_line(known: EventFormat) -> str:
    printed = iter(known.printed)
    plain = known.text.replace("%%", "\0\0")
    return _CONVERSION.sub(lambda match: _sample(match, next(printed)), plain).replace("\0\0", "%")


def _sample(match: re.Match[str], printed: Printed) -> str:
    conversion = match[0]
    if conversion.endswith("s"):
        if printed.optional:
            return printed.optional
        # A string glued to what stands before it is an optional suffix, such as " [reinjected]".
        before = match.string[match.start() - 1 : match.start()]
        return "" if before.isalnum() or before == ")" else "word"
    digits = re.search(r"0(\d+)", conversion)
    number = _SAMPLES[conversion[-1]].rjust(int(digits[1]) if digits else 1, "0")
    return f"0x{number}" if "#" in conversion else number
