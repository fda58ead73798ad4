"""Make text printable, and make what differs from boot to boot the same."""

from __future__ import annotations

import re

__all__ = ["MAX_SIGNATURE", "printable", "steady", "steady_message"]

# Long enough for every message of the tables, short enough for a column of a table.
MAX_SIGNATURE = 120

# Addresses, counters, durations, process ids and CPU numbers differ from boot to boot.
_VOLATILE = (
    # __die_header(): the error code and the options of the build say nothing about the fault.
    (re.compile(r"(?:, (?:probably|maybe) for [^:]{1,80})?: [0-9a-f]{4} \[#\d+\].*$"), ""),
    (re.compile(r"^Oops: (?=[a-z])"), ""),
    (re.compile(r"0x[0-9a-fA-F]+|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,16}\b"), "ADDR"),
    # Kernel threads of a CPU are named after it: kworker/1:2, swapper/0.
    (re.compile(r"\b(swapper|kworker|migration|ksoftirqd|cpuhp|rcu[a-z_]*|watchdog|idle_inject)/[\w:+-]+"), r"\1/N"),
    (re.compile(r"(\b\w+/N)/\d+\b"), r"\1/N"),
    (re.compile(r"\[([^\[\]:]{1,32}):\d+\]"), r"[\1:N]"),
    (re.compile(r"(while atomic: \S{1,32})/\d+/"), r"\1/N/"),
    (re.compile(r"\b(CPU|cpu|PID|Pid|pid|vcpu)s?[ :=\[#(]*\d+[\])]?"), r"\1 N"),
    (re.compile(r"\btask ([^\s:]{1,32}):\d+"), r"task \1:N"),
    (re.compile(r"(\w)\[\d+\]:? "), r"\1[N] "),
    (re.compile(r"\b\d+(?:\.\d+)?( ?(?:m?s|ns|us|seconds|jiffies))\b"), r"N\1"),
    (re.compile(r"\bexitcode=\S+"), "exitcode=N"),
    (re.compile(r"\bpfn:?\s*[0-9a-f]+"), "pfn N"),
    (re.compile(r"(on CPU N, [^\s/]{1,32})/\d+"), r"\1/N"),
    (re.compile(r"\b(process|idx|val|inode)([ =:#]+)\d+\b"), r"\1\2N"),
    (re.compile(r" \]$"), ""),
)


def printable(text: bytes) -> str:
    """Return the text as one printable line, with runs of blanks as one."""
    plain = text.decode(errors="replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())


_LONG_HEX = re.compile(r"0x[0-9a-fA-F]{6,}")


def steady_message(text: str) -> str:
    """Replace as :func:`steady` does, but keep short hexadecimal numbers: they are codes."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\0{len(kept) - 1}\0"

    marked = re.sub(r"0x[0-9a-fA-F]{1,5}\b", keep, _LONG_HEX.sub("ADDR", text))
    return re.sub(r"\0(\d+)\0", lambda match: kept[int(match.group(1))], steady(marked))


def steady(line: str) -> str:
    """Replace the parts of a message that differ from boot to boot."""
    for pattern, replacement in _VOLATILE:
        line = pattern.sub(replacement, line)
    return line.strip()
