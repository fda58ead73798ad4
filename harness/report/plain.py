"""Make text of a guest harmless, whatever it holds: one printable line, or the last lines of a console."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["console_tail", "plain"]

# CSI, OSC, DCS, SOS, PM and APC sequences and the two-character escapes (ECMA-48); a string that never ends is cut at
# the line's end, for nothing behind it would have been seen on a terminal either way.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# C0, C1, line breaks of Unicode, what turns the direction of writing around (UAX #9), what is not shown at all,
# surrogates and noncharacters: HTML shows the wrong thing or nothing, XML 1.0 forbids most of them.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Enough for the last words of any console that is read by people.
_TAIL_BYTES = 256 << 10


def plain(text: str, most: int | None = None) -> str:
    """Return ``text`` as one line that shows itself and does nothing else; a control character becomes U+FFFD.

    Longer than ``most`` characters (None: any), it is cut and says by how much.
    """
    # A megabyte line is cut before it is searched; escapes only make it shorter.
    left_out = 0
    if most is not None and len(text) > 16 * most:
        left_out = len(text) - 16 * most
        text = text[: 16 * most]
    text = _CONTROLS.sub("�", _ESCAPES.sub("", text).replace("\t", "    "))
    if most is not None and len(text) > most:
        left_out += len(text) - most
        text = text[:most]
    return f"{text}… ({left_out} more characters)" if left_out else text


def console_tail(path: Path, lines: int, width: int) -> tuple[str, ...]:
    """Return the last ``lines`` lines of a log that say something, each made plain; none if it cannot be read.

    What a carriage return overwrote on a terminal is shown as lines of its own.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            data = file.read(_TAIL_BYTES)
    except OSError:
        return ()
    rows = [row for row in re.split(r"[\r\n]+", data.decode(errors="replace")) if row.strip()]
    return tuple(plain(row, width).rstrip() for row in rows[-lines:])
