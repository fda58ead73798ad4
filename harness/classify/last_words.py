"""Find a failure that no rule knows in the last lines of a console.

Only there: words like "failed" stand in every good boot, and only before silence do they mean anything.
"""

from __future__ import annotations

import re

from harness.classify.signature import MAX_SIGNATURE, printable, steady
from harness.evidence.records import ConsoleText

__all__ = ["last_words"]

_TAIL_BYTES = 2048
_TAIL_LINES = 8
_ALARM = re.compile(
    r"\b(?:panic\w*|fatal|abort(?:ed|ing)?|assert\w*|unhandled|exception|halt(?:ed|ing)|dead ?loop)\b", re.I
)
_STAMP = re.compile(r"^(?:\[[^\[\]]{1,20}\] ?){1,2}")


def last_words(console: ConsoleText) -> tuple[str, str] | None:
    """Return the last line that tells of a failure and its signature; None if the last lines have none."""
    tail = console[max(0, len(console) - _TAIL_BYTES) :]
    lines = [printable(line) for line in tail.replace(b"\r", b"\n").split(b"\n")]
    for line in reversed([line for line in lines if line][-_TAIL_LINES:]):
        if _ALARM.search(line):
            said = _STAMP.sub("", line)
            return said[:300], steady(said)[:MAX_SIGNATURE]
    return None
