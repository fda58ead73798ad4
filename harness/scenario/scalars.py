"""Give an unquoted scalar its value, and refuse those that YAML 1.1 and 1.2 (or people) read differently."""

from __future__ import annotations

import re

from harness.scenario.nodes import Scalar

__all__ = ["Surprise", "guess", "read_unquoted"]

# YAML 1.1 §10.3 (as PyYAML implements it) against YAML 1.2.2 §10.3 (core schema).
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_BOOL_1_1 = {word: meaning for words, meaning in (("yes on", "true"), ("no off", "false")) for word in words.split()}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_OTHER_BASE = re.compile(r"[-+]?0(b[01_]+|o[0-7]+)")
_UNDERSCORE = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|[-+]?0x[0-9a-fA-F_]+")
_EXPONENT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
# What a JSON reader still takes as an exact integer everywhere.
_LONGEST_NUMBER = 18


class Surprise(Exception):
    """Carry the sentence that says what was written, what YAML makes of it and what to write instead.

    ``meant`` is the value that was probably meant, so that one mistake is not reported again where it is used.
    """

    def __init__(self, what: str, meant: Scalar) -> None:
        """Take the sentence and the value."""
        super().__init__(what)
        self.meant = meant


def read_unquoted(text: str) -> Scalar:
    """Return the value of an unquoted scalar on which YAML 1.1 and 1.2 agree.

    :raise Surprise: when they do not, or when the value could not be kept (infinity, 30 digits).
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    number = _INT.fullmatch(text) or _HEX.fullmatch(text) or _FLOAT.fullmatch(text)
    if number and not (_LEADING_ZERO.fullmatch(text)):
        if len(text) > _LONGEST_NUMBER:
            raise Surprise(f'{_short(text)} has too many digits for a number; write "{_short(text)}" for text', text)
        if _FLOAT.fullmatch(text):
            return float(text)
        return int(text, 16 if "x" in text else 10)
    made = _surprising(text)
    if made is not None:
        raise Surprise(made, _meant(text))
    return text


def guess(text: str) -> Scalar:
    """Return the value of text that came from outside the file (an option, the environment).

    Only what nobody can misread becomes a number, true, false or null; everything else, ``off`` and ``010`` too,
    stays text.
    """
    try:
        return read_unquoted(text) if text.strip() else text
    except Surprise:
        return text


def _meant(text: str) -> Scalar:
    if text.lower() in _BOOL_1_1:
        return _BOOL_1_1[text.lower()] == "true"
    return int(text) if re.fullmatch(r"[-+]?0[0-9]{1,17}", text) else text


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _surprising(text: str) -> str | None:
    if text.lower() in _BOOL_1_1 and text in (text.lower(), text.upper(), text.capitalize()):
        meaning = _BOOL_1_1[text.lower()]
        return f'{text} is {meaning} to YAML 1.1; write {meaning}, or "{text}" for text'
    quoted = f'"{_short(text)}" for text'
    shown = _short(text)
    if _LEADING_ZERO.fullmatch(text):
        digits = text.replace("_", "").lstrip("+-")
        made = str(int(digits, 8)) if len(digits) <= 20 and not set(digits) & {"8", "9"} else "text"
        return f"{shown} is {made} to YAML 1.1 and {_short(digits.lstrip('0') or '0')} to YAML 1.2; " + (
            f"write {_short(digits.lstrip('0') or '0')}, or {quoted}"
        )
    if _OTHER_BASE.fullmatch(text):
        return f"{shown} is a number or text, depending on YAML's version; write it in decimal, or {quoted}"
    if _UNDERSCORE.fullmatch(text):
        return f"{shown} is a number to YAML 1.1 and text to YAML 1.2; leave the underscores out, or write {quoted}"
    if _EXPONENT.fullmatch(text):
        return f"{shown} is text or a number, depending on YAML's version; write the number out, or {quoted}"
    if _SEXAGESIMAL.fullmatch(text):
        return f"{shown} is a number in base 60 to YAML 1.1; write 90s for a duration, or {quoted}"
    if _NOT_FINITE.fullmatch(text):
        return f"{shown} is no number that can be used; write {quoted}"
    if _DATE.fullmatch(text):
        return f"{shown} is a date to YAML 1.1; write {quoted}"
    return None
