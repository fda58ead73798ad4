"""Find the crash report in a console: a panic, an oops, a BUG.

One ranked table: the pattern, and whether it ends the guest. Sources: Linux kernel kernel/panic.c panic() ("Kernel
panic - not syncing: %s"), lib/bug.c ("kernel BUG at"), arch/x86/kernel/dumpstack.c __die_header() ("%s: %04lx [#%d]"),
arch/x86/kernel/traps.c for what comes before the number ("general protection fault, probably for …"), and COCONUT-SVSM
kernel/src/svsm.rs panic handler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.evidence.records import ConsoleText

__all__ = ["CrashReport", "find_crash"]


@dataclass(frozen=True, slots=True)
class CrashReport:
    """Hold the line that says what crashed, its stable signature, and whether the guest was lost by it.

    ``line`` is one line of printable text, whatever the guest printed. ``svsm``: the SVSM at VMPL0, not the guest.
    """

    line: str
    signature: str
    fatal: bool
    svsm: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[bytes]
    fatal: bool
    svsm: bool


def _rule(pattern: bytes, *, fatal: bool, svsm: bool = False) -> _Rule:
    # Bounded: a console may hold a megabyte without a line end.
    return _Rule(re.compile(rb"(?:%b)[^\r\n]{0,300}" % pattern), fatal, svsm)


# Ranked by how much they say: "kernel BUG at FILE:LINE" is followed by an "invalid opcode" that tells nothing. A user
# program that dies leaves "traps: NAME[PID] general protection fault ip:…", which has no error code behind a colon.
_RULES = (
    _rule(rb"Panic on CPU\[|Panic: CPU\[", fatal=True, svsm=True),
    _rule(rb"Kernel panic - not syncing: ", fatal=True),
    _rule(rb"kernel BUG at ", fatal=False),
    _rule(rb"\b(?:Oops|BUG): ", fatal=False),
    _rule(
        rb"(?:general protection fault|double fault|invalid opcode|divide error|stack segment)"
        rb"(?:, [^\r\n:]{0,100})?: [0-9a-f]{4} \[#",
        fatal=False,
    ),
)
# An oops that cannot be survived ends in a panic that does not say what it was (arch/x86/kernel/dumpstack.c oops_end(),
# kernel/exit.c make_task_dead() and do_exit()).
_CONSEQUENCE = re.compile(
    r"not syncing: (?:Fatal exception|Aiee, killing interrupt handler"
    r"|Attempted to kill (?:the idle task|init! exitcode=0x0000000b))"  # 0x0b: SIGSEGV, which an oops in init is given
)
# Addresses, counters, durations, process ids and CPU numbers differ from boot to boot.
_VOLATILE = (
    (re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,16}\b"), "ADDR"),
    # Kernel threads of a CPU are named after it: kworker/1:2, swapper/0.
    (re.compile(r"\b(swapper|kworker|migration|ksoftirqd|cpuhp|rcu[a-z_]*|watchdog)/[\w:+-]+"), r"\1/N"),
    (re.compile(r"\[([^\[\]:]{1,32}):\d+\]"), r"[\1:N]"),
    (re.compile(r"(while atomic: \S{1,32})/\d+/"), r"\1/N/"),
    (re.compile(r"\b(CPU|cpu|PID|Pid|pid)s?[ :=\[#]*\d+\]?"), r"\1 N"),
    (re.compile(r"\b\d+(?:\.\d+)?(m?s|ns|seconds)\b"), r"N\1"),
    (re.compile(r"\bexitcode=\S+"), "exitcode=N"),
    (re.compile(r"\[#\d+\]"), "[#N]"),
)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")


def find_crash(console: ConsoleText) -> CrashReport | None:
    """Return the first report of the highest rank; None if the console has none.

    A panic that is only the end of an oops before it is reported as that oops, and as fatal.
    """
    for index, rule in enumerate(_RULES):
        if match := rule.pattern.search(console):
            line = _printable(match.group())
            if rule.fatal and _CONSEQUENCE.search(line):
                line = _cause(console, match.start(), index) or line
            return CrashReport(line, _signature(line), rule.fatal, rule.svsm)
    return None


def _cause(console: ConsoleText, end: int, index: int) -> str | None:
    for rule in _RULES[index + 1 :]:
        if not rule.fatal and (match := rule.pattern.search(console, 0, end)):
            return _printable(match.group())
    return None


def _printable(text: bytes) -> str:
    plain = _ESCAPES.sub("", text.decode(errors="replace"))
    return " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())


def _signature(line: str) -> str:
    for pattern, replacement in _VOLATILE:
        line = pattern.sub(replacement, line)
    return line.strip()[:120]
