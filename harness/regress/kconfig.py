"""Read and write kernel configurations: ``.config`` files as ``make olddefconfig`` writes them.

What a line may be is in the kernel's scripts/kconfig/confdata.c (conf_read_simple): ``CONFIG_X=value``,
``# CONFIG_X is not set`` for n, and other comments. A symbol that is not mentioned is neither: ``make olddefconfig``
gives it its default, or hides it because something that it depends on is off. So the absence of a line is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from harness.errors import InputError

__all__ = ["ABSENT", "changed_back", "config_identity", "parse_config", "render_config"]

#: What a symbol that is not mentioned has in place of a value; no value can read so, for strings stand in quotes.
ABSENT = "absent"

_SET = re.compile(r"(CONFIG_\w+)=(.+)")
_NOT_SET = re.compile(r"# (CONFIG_\w+) is not set")


def parse_config(text: str, name: str) -> dict[str, str]:
    """Return the value of each symbol that ``text`` mentions, in its order; ``# CONFIG_X is not set`` is n.

    Of a symbol that is given twice the last value counts, as in the kernel. ``name`` is the file, for messages.

    :raise InputError: with file and line, if a line is neither a value nor a comment.
    """
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if found := _NOT_SET.fullmatch(line):
            values[found[1]] = "n"
        elif not line or line.startswith("#"):
            continue
        elif found := _SET.fullmatch(line):
            values[found[1]] = found[2]
        else:
            raise InputError(
                f"{name}:{number}: {line[:60]!r} is no line of a kernel configuration; write CONFIG_X=y or "
                "# CONFIG_X is not set"
            )
    return values


def render_config(values: Mapping[str, str]) -> str:
    """Return the text that :func:`parse_config` reads; what is :data:`ABSENT` has no line."""
    lines = [
        f"# {symbol} is not set" if value == "n" else f"{symbol}={value}"
        for symbol, value in values.items()
        if value != ABSENT
    ]
    return "".join(f"{line}\n" for line in lines)


def config_identity(values: Mapping[str, str]) -> str:
    """Return a digest of what code can see of a configuration, in which n and absent are the same."""
    seen = "".join(f"{symbol}={value}\n" for symbol, value in sorted(values.items()) if value not in ("n", ABSENT))
    return hashlib.sha256(seen.encode()).hexdigest()


def changed_back(asked: Mapping[str, str], used: Mapping[str, str], symbols: Iterable[str]) -> dict[str, str]:
    """Return those of ``symbols`` that a build gave another value than was asked for, with that value."""

    def seen(values: Mapping[str, str], symbol: str) -> str:
        value = values.get(symbol, ABSENT)
        return "n" if value == ABSENT else value

    return {symbol: seen(used, symbol) for symbol in symbols if seen(asked, symbol) != seen(used, symbol)}
