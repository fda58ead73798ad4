"""Define the field types of scenario models: quantities with units, patterns, names.

Each type reads text with its unit, and writes text that reads back as the same value. From Python code, a plain
number in the base unit (bytes, seconds, fraction of 1) does as well; in a file it is refused, because its unit would
be a guess.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core.core_schema import ValidationInfo

from harness.units import exact_duration, exact_rate, format_bytes, parse_bytes, parse_duration_s, parse_rate

__all__ = ["Bytes", "ConsolePattern", "DurationS", "GuestPath", "Rate", "RegexText", "one_of_or_whole_number"]


def _reader(parse: Callable[[str], float], what: str, example: str) -> Callable[[object, ValidationInfo], object]:
    def read(value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            return parse(value)
        # Files are validated as JSON (scenario/validate.py); only Python code gets here with mode "python".
        if info.mode == "python" and isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"{value} has no unit; write the {what} with one, such as {example}")
        raise ValueError(f"a {what} is needed, such as {example}")

    return read


def _schema(pattern: str, examples: list[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": examples})


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("must be more than nothing")
    return value


#: A size in bytes: ``512M``.
Bytes = Annotated[
    int,
    AfterValidator(_positive),
    BeforeValidator(_reader(parse_bytes, "size", "512M or 2G")),
    PlainSerializer(format_bytes, return_type=str, when_used="json"),
    _schema(r"^\d+(\.\d+)?\s*([KMGT](iB|B)?|B)$", ["512M", "2G"]),
]

#: A duration in seconds: ``60s``.
DurationS = Annotated[
    float,
    AfterValidator(_positive),
    BeforeValidator(_reader(parse_duration_s, "duration", "60s or 500ms")),
    PlainSerializer(exact_duration, return_type=str, when_used="json"),
    _schema(r"^\d+(\.\d+)?\s*(ms|s|m|min|h)$", ["60s", "500ms", "2m"]),
]

#: A fraction of 1: ``5%``.
Rate = Annotated[
    float,
    BeforeValidator(_reader(parse_rate, "rate", "5%")),
    PlainSerializer(exact_rate, return_type=str, when_used="json"),
    _schema(r"^\d+(\.\d+)?\s*%$", ["5%", "0.1%"]),
]


def _compiles(text: str) -> str:
    try:
        with warnings.catch_warnings():
            # Python warns where a pattern will change its meaning ("[[a]"); a scenario should not wait for that day.
            warnings.simplefilter("error")
            re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


#: The text of a Python regular expression; known to compile.
RegexText = Annotated[str, AfterValidator(_compiles), WithJsonSchema({"type": "string", "format": "regex"})]


def _compiles_as_bytes(text: str) -> str:
    try:
        re.compile(text.encode())
    except (re.error, ValueError) as error:
        # A console is bytes: what only text has (\u2026, (?u)) would fail when the boot is over.
        raise ValueError(f"{text!r} is no regular expression on bytes: {error}") from None
    return text


#: The text of a regular expression that is matched against the bytes of a console.
ConsolePattern = Annotated[RegexText, AfterValidator(_compiles_as_bytes)]


def _absolute(text: str) -> str:
    if not text.startswith("/") or "\0" in text or ".." in text.split("/"):
        raise ValueError(f"{text!r} is no absolute path; a path in the guest starts with / and has no ..")
    return text


#: An absolute path inside the guest.
GuestPath = Annotated[str, AfterValidator(_absolute), WithJsonSchema({"type": "string", "pattern": "^/"})]


def one_of_or_whole_number(word: str, low: int, high: int) -> Callable[[Any], Any]:
    """Make a validator for ``low`` … ``high`` or ``word``; one sentence instead of pydantic's one for each member."""

    def check(value: Any) -> Any:
        if value == word or (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high):
            return value
        raise ValueError(f"{value!r} is neither a whole number from {low} to {high} nor {word!r}")

    return check
