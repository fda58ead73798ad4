"""Read and write quantities as people give them: ``512M``, ``60s``, ``5%``.

Sizes are powers of 1024 (as in QEMU's ``-m``), durations are seconds, rates are fractions of 1.
"""

from __future__ import annotations

import re

__all__ = [
    "exact_duration",
    "exact_rate",
    "format_bytes",
    "format_duration",
    "format_rate",
    "parse_bytes",
    "parse_duration_s",
    "parse_rate",
]

_BYTES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Decimal exponent, then a factor: "3ms" is read as 3e-3, which is the float nearest to 0.003; 3 * 0.001 is not.
_SECONDS = {"ms": (-3, 1), "s": (0, 1), "m": (0, 60), "min": (0, 60), "h": (0, 3600)}
# At most 15 digits before the point, so that no text becomes infinite or loses a byte.
_QUANTITY = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,300})?)[ \t]*(?P<unit>[A-Za-z%]*)")


def _split(text: str, what: str, example: str) -> tuple[str, str]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no {what}; write a number and a unit, such as {example}")
    return match["number"], match["unit"]


def parse_bytes(text: str) -> int:
    """Return the bytes that ``text`` names: a number and K, M, G or T (also KiB, KB, …), or B for single bytes.

    :raise ValueError: with a sentence for the user; a bare number is refused because its unit would be a guess
        (QEMU's ``-m 512`` means MiB, other options mean bytes).
    """
    number, unit = _split(text, "size", "512M or 2G")
    factor = _BYTES.get(unit[:1])
    if factor is None or unit[1:] not in ("", "B", "iB") or (unit[0] == "B" and unit != "B"):
        said = f"has the unknown unit {unit!r}" if unit else "has no unit"
        raise ValueError(f"{text!r} {said}; sizes take K, M, G or T, such as 512M")
    whole, _, fraction = number.partition(".")
    scale: int = 10 ** len(fraction)
    size_bytes, rest = divmod(int(whole + fraction) * factor, scale)
    if rest:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return size_bytes


def parse_duration_s(text: str) -> float:
    """Return the seconds that ``text`` names, with the unit ms, s, m (or min) or h.

    :raise ValueError: with a sentence for the user; a bare number is refused because its unit would be a guess.
    """
    number, unit = _split(text, "duration", "60s or 500ms")
    if unit not in _SECONDS:
        said = f"has the unknown unit {unit!r}" if unit else "has no unit"
        raise ValueError(f"{text!r} {said}; durations take ms, s, m or h, such as 60s")
    exponent, factor = _SECONDS[unit]
    return float(f"{number}e{exponent}") * factor


def parse_rate(text: str) -> float:
    """Return the fraction of 1 that a percentage such as ``5%`` names.

    :raise ValueError: with a sentence for the user, also above 100%.
    """
    number, unit = _split(text, "rate", "5%")
    if unit != "%":
        raise ValueError(f"{text!r} is no percentage; write 5% for 0.05")
    fraction = float(f"{number}e-2")
    if fraction > 1:
        raise ValueError(f"{text!r} is more than 100%")
    return fraction


def exact_duration(duration_s: float) -> str:
    """Render so that :func:`parse_duration_s` gives the same value again: ``60s``, ``0.5s``."""
    return f"{_plain(duration_s, 0)}s"


def exact_rate(fraction: float) -> str:
    """Render so that :func:`parse_rate` gives the same value again: ``5%``, ``0.1%``."""
    return f"{_plain(fraction, 2)}%"


# The shortest digits that give the float again (what repr finds), as a plain decimal times 10 ** shift.
def _plain(value: float, shift: int) -> str:
    mantissa, _, exponent = repr(float(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits, point = whole + fraction, len(whole) + int(exponent or 0) + shift
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    rest = digits[point:].rstrip("0")
    return (digits[:point].lstrip("0") or "0") + (f".{rest}" if rest else "")


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
    """Render a fraction of 1 as a percentage with two significant digits, three from 99% on: ``5.8%``, ``0.34%``."""
    percent = fraction * 100
    # Three digits near 100%, where 99.6% must not read 100%; plain decimals where "g" would turn to exponents.
    if percent >= 99:
        return f"{percent:.3g}%"
    return f"{percent:.2g}%" if percent >= 0.0001 or percent == 0 else f"{percent:.6f}%"
