"""Find what a console or QEMU's standard error says of failures, with the tables of all layers.

Text comes as it was received: several CPUs and layers write to one port, escape codes, NULs and carriage returns
stand between, lines are cut, and a line may have no end for megabytes. It is read in blocks, cleaned, searched once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from harness.classify import firmware, guest_kernel, guest_sev, guest_user, payload, qemu, svsm
from harness.classify.frames import culprit, is_messenger
from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, RuleSet, Weight
from harness.classify.signature import MAX_SIGNATURE, printable, steady, steady_message
from harness.evidence.records import ConsoleText

__all__ = ["Finding", "console_rules", "find_all", "stderr_rules", "strongest"]

_BLOCK_BYTES = 1 << 20
# A header is found whole although a block ends in it; and what follows one may be this long.
_OVERLAP_BYTES = 512
_REPORT_BYTES = 16 << 10
_LINE_BYTES = 300
_BEFORE_BYTES = 4096

# CSI sequences and the two-byte escapes (ECMA-48), bounded: a lone ESC may be followed by anything.
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|[()][0-9A-B]|[=>78DEHMZc])?")
_TIMESTAMP = re.compile(r"^(?:<\d>)?(?:\[[^\[\]]{1,20}\] ?){1,2}")
# Groups that hold a message or a name rather than a number that was chosen as stable.
_MESSAGES = frozenset({"what", "task", "who"})
_PROGRAM = re.compile(rb"([\w.:/+-]{1,32})\[\d{1,9}$")


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold the first sight of one rule.

    ``line`` is one line of printable text, whatever the guest printed. ``signature`` is the same in every boot that
    fails in this way. ``offset`` says what came first, and is exact only without escape codes. ``rank`` is that of
    the table, ``row`` that of the rule. ``cut`` says why the report cannot be trusted to be whole; None: it can.
    """

    line: str
    signature: str
    weight: Weight
    kind: OutcomeKind | None
    offset: int
    rank: int
    row: int
    consequence: bool = False
    cut: str | None = None


@cache
def console_rules() -> RuleSet:
    """Return the tables for a guest's console, from the lowest layer up; compiled once."""
    return RuleSet(
        (
            svsm.RULES,
            firmware.RULES,
            guest_sev.RULES,
            guest_kernel.RULES,
            payload.RULES,
            guest_user.RULES,
            guest_kernel.FRAGMENTS,
        )
    )


@cache
def stderr_rules() -> RuleSet:
    """Return the table for what QEMU writes to its standard error; compiled once."""
    return RuleSet((qemu.RULES,))


def find_all(text: ConsoleText, rules: RuleSet) -> tuple[Finding, ...]:
    """Return the first sight of every rule that matches, in order of position; benign ones are left out."""
    found: list[Finding] = []
    seen: set[int] = set()
    for start, block, own, last in _blocks(text):
        line_end = -1
        for match in rules.pattern.finditer(block):
            group = match.lastindex or 0
            if group in seen:
                continue
            begin = match.start()
            if begin >= own:
                break  # the next block has it with what follows
            # What a report says in its first line has no second meaning.
            if begin < line_end:
                continue
            row = rules.rule_of_group[group]
            rule = rules.rules[row]
            if rule.lead and not block.endswith(rule.lead, 0, begin):
                continue
            if rule.weight is not Weight.NOTE:
                line_end = block.find(b"\n", begin, begin + _LINE_BYTES)
                line_end = begin + _LINE_BYTES if line_end < 0 else line_end
            if rule.weight is Weight.BENIGN:
                continue
            seen.add(group)
            body = block[begin : begin + _REPORT_BYTES]
            if len(body) < _REPORT_BYTES and not last:
                after = start + _BLOCK_BYTES + _OVERLAP_BYTES
                body += _cleaned(text[after : after + _REPORT_BYTES])
            found.append(_finding(rule, rules.rank[row], row, block, begin, start, body))
    return tuple(found)


def strongest(found: tuple[Finding, ...], weight: Weight) -> Finding | None:
    """Return what decides among the findings of a weight; None if there is none. See :mod:`harness.classify.rules`."""
    same = [finding for finding in found if finding.weight is weight]
    if not same:
        return None
    if weight is Weight.FATAL:
        return min(same, key=lambda finding: (finding.rank, finding.offset))
    if weight is Weight.NOTE:
        return min(same, key=lambda finding: finding.row)
    return same[0]


def _blocks(text: ConsoleText) -> Iterator[tuple[int, bytes, int, bool]]:
    # Where it starts, the cleaned block with the beginning of the next one behind it, how much of it is its own, and
    # whether it is the last.
    start = 0
    while True:
        raw = text[start : start + _BLOCK_BYTES + _OVERLAP_BYTES]
        block = _cleaned(raw)
        if start + len(raw) >= len(text):
            yield start, block, len(block), True
            return
        own = _BLOCK_BYTES if block is raw else len(_cleaned(raw[:_BLOCK_BYTES]))
        yield start, block, own, False
        start += _BLOCK_BYTES


def _cleaned(raw: bytes) -> bytes:
    if b"\x1b" in raw:
        raw = _ESCAPE.sub(b"", raw)
    # A lone carriage return is how a terminal redraws a line: what stood there is another line.
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.replace(b"\0", b"") if b"\0" in raw else raw


def _finding(rule: Rule, rank: int, row: int, block: bytes, begin: int, start: int, body: bytes) -> Finding:
    end = body.find(b"\n", 0, _LINE_BYTES)
    said = rule.lead + body[: _LINE_BYTES if end < 0 else end]
    before = block[max(block.rfind(b"\n", 0, begin) + 1, begin - 200) : begin]
    # Of these what matters stands before the header, up to the line's start.
    whole_line = rule.header.startswith((b":", rb"\]"))
    line = _TIMESTAMP.sub("", printable(before + said)) if whole_line else printable(said)
    groups: dict[str, str] = {}
    cut = None
    if rule.form is None:
        title = steady(line)
    elif match := rule.form.match(body):
        groups = {name: printable(value or b"?") for name, value in match.groupdict().items()}
        groups |= {name: steady_message(text) for name, text in groups.items() if name in _MESSAGES}
        if "{program}" in rule.title:
            program = _PROGRAM.search(block, max(0, begin - 60), begin)
            groups["program"] = printable(program.group(1)) if program else "a program"
        title = rule.title.format(**groups)
    else:
        title, cut = steady(line), "its first lines are cut or mixed with others"
    if rule.before is not None:
        behind = list(rule.before.finditer(block, max(0, begin - _BEFORE_BYTES), begin))
        title += f" in test {printable(behind[-1]['before'])}" if behind else ""
    suffix = ""
    if rule.frames:
        named = groups.get("frame")
        frame = named if named and not is_messenger(named) else culprit(before + body, named)
        suffix = f" in {frame[:60]}" if frame else ""
    return Finding(
        line=line,
        signature=title[: MAX_SIGNATURE - len(suffix)].rstrip() + suffix,
        weight=rule.weight,
        kind=rule.kind,
        offset=start + begin,
        rank=rank,
        row=row,
        consequence=rule.consequence is not None and rule.consequence.search(line) is not None,
        cut=cut,
    )
