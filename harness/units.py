"""Read and write quantities as people give them: ``512M``, ``60s``, ``5%``.

Sizes are powers of 1024 (as in QEMU's ``-m``), durations are seconds, rates are fractions of 1.
"""

from __future__ import annotations

import re

__all__ = [
    "format_bytes",
    "format_duration",
    "format_rate",
    "parse_bytes",
    "parse_duration_s",
    "parse_rate",
]

_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z%]*)")


def _split(text: str, what: str, example: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no {what}; write a number and a unit, such as {example}")
    return float(match["number"]), match["unit"]


def parse_bytes(text: str) -> int:
    """Return the bytes that ``text`` names: a whole number and K, M, G or T (also KiB, MiB, …, or B).

    :raise ValueError: with a sentence for the user.
    """
    number, unit = _split(text, "size", "512M or 2G")
    letter = unit.removesuffix("iB").removesuffix("B")
    if letter not in _BYTES:
        raise ValueError(f"{text!r} has the unknown unit {unit!r}; sizes take K, M, G or T, such as 512M")
    size_bytes = number * _BYTES[letter]
    if size_bytes != int(size_bytes):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size_bytes)


def parse_duration_s(text: str) -> float:
    """Return the seconds that ``text`` names, with the unit ms, s, m (or min) or h.

    :raise ValueError: with a sentence for the user; a bare number is refused because its unit would be a guess.
    """
    number, unit = _split(text, "duration", "60s or 500ms")
    if unit not in _SECONDS:
        said = f"has the unknown unit {unit!r}" if unit else "has no unit"
        raise ValueError(f"{text!r} {said}; durations take ms, s, m or h, such as 60s")
    return number * _SECONDS[unit]


def parse_rate(text: str) -> float:
    """Return the fraction of 1 that a percentage such as ``5%`` names.

    :raise ValueError: with a sentence for the user, also above 100%.
    """
    number, unit = _split(text, "rate", "5%")
    if unit != "%":
        raise ValueError(f"{text!r} is no percentage; write 5% for 0.05")
    if number > 100:
        raise ValueError(f"{text!r} is more than 100%")
    return number / 100


def format_bytes(size_bytes: int) -> str:
    """Render with the largest unit that leaves a whole number: ``512M``, ``1536M``, ``3B``."""
    for letter in ("T", "G", "M", "K"):
        if size_bytes and size_bytes % _BYTES[letter] == 0:
            return f"{size_bytes // _BYTES[letter]}{letter}"
    return f"{size_bytes}B"


def format_duration(duration_s: float) -> str:
    """Render for people, three digits at most: ``45 ms``, ``4.61 s``, ``2 m 05 s``, ``1 h 02 m``."""
    if duration_s < 0.9995:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 59.95:
        return f"{duration_s:.3g} s" if duration_s < 9.995 else f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"


def format_rate(fraction: float) -> str:
    """Render a fraction of 1 as a percentage with two significant digits: ``5.8%``, ``0.34%``, ``100%``."""
    return f"{fraction * 100:.3g}%" if fraction >= 0.9995 else f"{fraction * 100:.2g}%"
