"""Read what the host's kernel said and how it changed during a boot: its log and its taint.

Sources: Linux Documentation/admin-guide/tainted-kernels.rst for the bits.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HURT_BITS", "LogDelta", "added_lines", "taint_letters"]

# Letters by bit. A 'G' in the place of bit 0 means that it is clear.
_LETTERS = "PFSRMBUDAWCIOELKXTNJ"
#: What a healthy kernel never does: machine check (4), bad page (5), oops (7), warning (9), soft lockup (14).
HURT_BITS = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14


@dataclass(frozen=True, slots=True)
class LogDelta:
    """Hold what changed of the host's kernel: the new lines of its log, and its taint before and after."""

    lines: tuple[str, ...]
    taint_before: int
    taint_after: int

    @property
    def taint_added(self) -> int:
        """Return the bits that were set meanwhile."""
        return self.taint_after & ~self.taint_before


def taint_letters(taint: int) -> str:
    """Write taint bits as the kernel does (``W``, ``DW``); a bit without a letter as its number, none as ``-``."""
    bits = (bit for bit in range(taint.bit_length()) if taint >> bit & 1)
    return "".join(_LETTERS[bit] if bit < len(_LETTERS) else f"[{bit}]" for bit in bits) or "-"


def added_lines(anchor: str, log: str) -> tuple[str, ...] | None:
    """Return the lines behind the last line that is ``anchor``; all of them for an empty anchor.

    None if the anchor is not there any more: the kernel's buffer went round, or it was cleared.
    """
    lines = log.splitlines()
    anchor = anchor.strip("\n")
    if not anchor.strip():
        return tuple(lines)
    for at in range(len(lines) - 1, -1, -1):
        if lines[at] == anchor:
            return tuple(lines[at + 1 :])
    return None
