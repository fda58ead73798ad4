"""Say what a rule of a table is, and put tables together so that one search finds all their headers.

A layer's table is a tuple of rules in its own file. First match wins, and what "first" means depends on the weight:

- FATAL: by rank of the table, then by position. The layer below explains the one above: an SVSM's panic takes the
  guest's kernel with it.
- SERIOUS: by position, because a second report is mostly fallout of the first.
- NOTE: by rank of the rule, because nothing ended there: what is specific explains more than what is generic.
- FRAGMENT: by position.

On one line the leftmost match counts, and at one place the earlier rule of the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from harness.classify.kinds import OutcomeKind

__all__ = ["Rule", "RuleSet", "Weight", "benign", "fatal", "fragment", "note", "serious"]


class Weight(IntEnum):
    """Order what a line proves, the strongest first."""

    #: What printed it did not go on.
    FATAL = 0
    #: Something is broken, whether or not the boot went on.
    SERIOUS = 1
    #: Alone it means nothing; it explains an end that has no better explanation.
    NOTE = 2
    #: A part of a report whose first line is missing.
    FRAGMENT = 3
    #: Looks like a failure and is none; it keeps its line from other rules.
    BENIGN = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """Hold one row of a table.

    ``header`` matches inside one line, is bounded, has no group, and begins with a literal byte, best with one that is
    rare: an upper-case letter or punctuation (a lower-case one makes every search slower).
    ``lead`` is text that must stand directly before the header and belongs to what it says; empty: anything may.
    ``form`` matches from the start of the header, over lines where it has to; its named groups fill ``title``. Where
    it does not match, the report was cut, and the header's line is the title. None: the header's line is the title.
    ``title`` is the signature, or its beginning, with ``{group}``; what it has from ``form`` is kept as it is.
    ``frames``: a function is named in what follows, or in the group ``frame``; False: the header says enough.
    ``before`` matches what stood in the lines before the header, its group ``before`` is added; None: nothing is.
    ``consequence``: matches titles that only end what was reported before; None: every title speaks for itself.
    ``kind`` is None for a weight that decides nothing.
    """

    header: bytes
    weight: Weight
    kind: OutcomeKind | None = None
    lead: bytes = b""
    form: re.Pattern[bytes] | None = None
    title: str = ""
    frames: bool = False
    before: re.Pattern[bytes] | None = None
    consequence: re.Pattern[str] | None = None


def _form(form: bytes | None) -> re.Pattern[bytes] | None:
    return None if form is None else re.compile(form)


def fatal(
    kind: OutcomeKind,
    header: bytes,
    form: bytes | None = None,
    title: str = "",
    *,
    lead: bytes = b"",
    before: bytes | None = None,
    consequence: str | None = None,
) -> Rule:
    """Make the rule of something that does not go on after this."""
    after = None if consequence is None else re.compile(consequence)
    return Rule(header, Weight.FATAL, kind, lead, _form(form), title, False, _form(before), after)


def serious(
    kind: OutcomeKind,
    header: bytes,
    form: bytes | None = None,
    title: str = "",
    *,
    lead: bytes = b"",
    frames: bool = True,
) -> Rule:
    """Make the rule of a report that shows something broken."""
    return Rule(header, Weight.SERIOUS, kind, lead, _form(form), title, frames)


def note(header: bytes, form: bytes | None = None, title: str = "", *, lead: bytes = b"", frames: bool = False) -> Rule:
    """Make the rule of a line that can explain an end."""
    return Rule(header, Weight.NOTE, None, lead, _form(form), title, frames)


def fragment(header: bytes) -> Rule:
    """Make the rule of a line that only stands inside a report."""
    return Rule(header, Weight.FRAGMENT)


def benign(header: bytes) -> Rule:
    """Make the rule of a line that looks worse than it is."""
    return Rule(header, Weight.BENIGN)


class RuleSet:
    """Search for all headers of some tables in one pass.

    ``tables`` come in order of rank. Every header becomes a branch that ends in an empty group, whose number is the
    rule's; branches are put into a tree by their literal beginnings, because the branches of a regular expression are
    tried one after the other.
    """

    def __init__(self, tables: Sequence[tuple[Rule, ...]]) -> None:
        """Compile.

        :raise ValueError: if a header does not begin with a literal byte, or has a group.
        """
        self.rules: tuple[Rule, ...] = tuple(rule for table in tables for rule in table)
        self.rank: tuple[int, ...] = tuple(rank for rank, table in enumerate(tables) for _ in table)
        heads: list[tuple[bytes, bytes, int]] = []
        for index, rule in enumerate(self.rules):
            literal = _LITERAL.match(rule.header)
            if literal is None or re.compile(rule.header).groups:
                raise ValueError(f"a header begins with a literal byte and has no group: {rule.header!r}")
            heads.append((literal.group().replace(b"\\", b""), rule.header[literal.end() :], index))
        # A pattern's groups are numbered as they stand in it, which the tree decides.
        order: list[int] = []
        self.pattern = re.compile(_tree(heads, order))
        self.rule_of_group: tuple[int, ...] = (-1, *order)


# Literal bytes that nothing makes optional or repeats.
_LITERAL = re.compile(rb"(?:(?:\\[^\w\s]|[^\\.\[\](){}*+?^$|])(?![*+?{]))+")


def _tree(heads: list[tuple[bytes, bytes, int]], order: list[int]) -> bytes:
    branches: list[bytes] = []
    done: set[bytes] = set()
    for literal, rest, index in heads:
        first = literal[:1]
        if not first:
            # The literal part ended here: what follows keeps its place in the order of the table.
            order.append(index)
            branches.append(b"%b()" % rest)
        elif first not in done:
            done.add(first)
            below = [(other[1:], tail, number) for other, tail, number in heads if other[:1] == first]
            branches.append(b"%b(?:%b)" % (re.escape(first), _tree(below, order)))
    return b"|".join(branches)
