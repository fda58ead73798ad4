"""Find the first crash report in a console: a panic, an oops, a BUG.

One ranked table: the pattern, whether it ends the guest, and the groups that make the signature. Sources: Linux kernel
kernel/panic.c panic() ("Kernel panic - not syncing: %s"), arch/x86/kernel/dumpstack.c __die_header() ("Oops: %04lx"),
lib/bug.c ("kernel BUG at"), and COCONUT-SVSM kernel/src/svsm.rs panic handler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.evidence.records import ConsoleText

__all__ = ["CrashReport", "find_crash"]


@dataclass(frozen=True, slots=True)
class CrashReport:
    """Hold the line that says what crashed, its stable signature, and whether the guest was lost by it."""

    line: str
    signature: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[bytes]
    fatal: bool


def _rule(pattern: bytes, *, fatal: bool) -> _Rule:
    # Bounded: a console may hold a megabyte without a line end.
    return _Rule(re.compile(pattern + rb"[^\r\n]{0,300}"), fatal)


# Ranked: a panic names the end of the guest, what came before it is its cause and wins the signature if it is there.
_RULES = (
    _rule(rb"Panic on CPU\[|Panic: CPU\[", fatal=True),
    _rule(rb"Kernel panic - not syncing: ", fatal=True),
    _rule(rb"\b(?:Oops|general protection fault|double fault|BUG): ", fatal=False),
    _rule(rb"kernel BUG at ", fatal=False),
)
# Addresses, counters, process ids and CPU numbers differ from boot to boot.
_VOLATILE = (
    (re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,16}\b"), "ADDR"),
    (re.compile(r"\b(CPU|CPU#|cpu|PID:|Pid:|pid)[ :\[#]*\d+\]?"), r"\1 N"),
    (re.compile(r"\bexitcode=\S+"), "exitcode=N"),
    (re.compile(r"\[#\d+\]"), "[#N]"),
    (re.compile(r"\s+"), " "),
)


def find_crash(console: ConsoleText) -> CrashReport | None:
    """Return the first report of the highest rank; None if the console has none."""
    for rule in _RULES:
        if match := rule.pattern.search(console):
            line = match.group().decode(errors="replace").strip()
            return CrashReport(line, _signature(line), rule.fatal)
    return None


def _signature(line: str) -> str:
    for pattern, replacement in _VOLATILE:
        line = pattern.sub(replacement, line)
    return line.strip()[:120]
