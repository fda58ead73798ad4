"""Write a night as a paragraph for a mailing list (plain text, 76 columns), or as Markdown for a merge request."""

from __future__ import annotations

import textwrap

from harness.checks.base import Status
from harness.history.change import Direction
from harness.report.gather import Failure, Night, Section
from harness.report.grades import caution
from harness.report.judged import rate_sentence
from harness.report.plain import plain
from harness.units import format_rate

__all__ = ["render_markdown", "render_text"]

_WIDTH = 76
_MOST = 12
_CONSOLE_LINES = 12


def render_text(night: Night) -> str:
    """Return plain text, fit to be quoted in a mail."""
    lines = [f"svsm-harness: {night.status}", ""]
    lines += _wrapped(_first_sentence(night))
    for run in night.runs:
        for said in (*run.known.wrong, *run.known.sentences):
            lines += _wrapped(plain(said, 300))
    lines += ["", *_wrapped(caution(_grades(night)))] if caution(_grades(night)) else []
    worse = [change for change in night.changes if change.direction is Direction.WORSE]
    if night.baseline is not None:
        lines += ["", f"Worse than baseline {night.baseline.name} ({night.baseline.started_utc[:10]}):"]
        for change in worse[:_MOST]:
            lines += _item(f"[{change.grade}] {plain(change.scenario, 80)}: {plain(change.what, 400)}")
            lines += _wrapped(plain(change.sure, 300), "    ") if change.sure else []
        lines += [] if worse else ["  nothing"]
    lines += ["", "Failure rate, 95% interval:"]
    width = max(len(plain(section.group.scenario, 40)) for section in night.sections)
    for section in night.sections[:40]:
        lines.append(f"  {plain(section.group.scenario, 40):<{width}}  {_row(section)}".rstrip())
    lines += [f"  and {len(night.sections) - 40} more"] if len(night.sections) > 40 else []
    for section, failure in _failures(night)[:_MOST]:
        lines += ["", f"[{section.group.grade}] {plain(section.group.scenario, 80)}: {failure.kind.status}"]
        lines += _wrapped(failure.kind.signature, "  ")
        boots = f"{failure.kind.boots} boot{'s' if failure.kind.boots != 1 else ''}"
        lines.append(f"  {boots}; svsm-harness repro {failure.kind.first.name or '-'}")
        if failure.example is not None:
            lines += _wrapped(failure.example.reason, "  ")
            lines += [f"  | {line[:120]}".rstrip() for line in failure.example.console[-_CONSOLE_LINES:]]
    lines += ["", *_wrapped(_made_of(night))]
    return "\n".join(lines) + "\n"


def render_markdown(night: Night) -> str:
    """Return Markdown; what a guest said stands in code, where it is no markup."""
    lines = [f"### svsm-harness: {night.status}", "", _md(_first_sentence(night)), ""]
    if caution(_grades(night)):
        lines += [f"> **Grade of evidence.** {_md(caution(_grades(night)))}", ""]
    worse = [change for change in night.changes if change.direction is Direction.WORSE]
    if worse and night.baseline is not None:
        lines.append(f"**Worse than baseline {_code(night.baseline.name)}**")
        lines.append("")
        for change in worse[:_MOST]:
            sure = f" ({_md(plain(change.sure, 300))})" if change.sure else ""
            lines.append(f"- **{change.grade}** {_code(change.scenario)}: {_code(change.what)}{sure}")
        lines.append("")
    lines += ["| scenario | grade | verdict | failed | 95% interval |", "|---|---|---|---|---|"]
    for section in night.sections[:40]:
        group = section.group
        interval = f"{format_rate(group.interval[0])} to {format_rate(group.interval[1])}" if group.told else "unknown"
        failed = f"{group.bad} of {group.told}" + (f", {group.lost} told nothing" if group.lost else "")
        lines.append(f"| {_code(group.scenario)} | {group.grade} | {group.verdict} | {failed} | {interval} |")
    lines += ["", f"and {len(night.sections) - 40} more scenarios"] if len(night.sections) > 40 else []
    for section, failure in _failures(night)[:_MOST]:
        lines += [
            "",
            "<details>",
            "",
            f"{failure.kind.status} **{section.group.grade}** {_code(failure.kind.signature)}",
        ]
        lines += [f"({failure.kind.boots} boots of {_code(section.group.scenario)})", ""]
        if failure.example is not None:
            console = [f"    {line}" for line in failure.example.console[-_CONSOLE_LINES:]]
            lines += [_code(failure.example.reason), "", *console, ""]
        lines += [f"{_code(f'svsm-harness repro {failure.kind.first.name}')}", "", "</details>"]
    lines += ["", _md(_made_of(night))]
    return "\n".join(lines) + "\n"


def _first_sentence(night: Night) -> str:
    told = sum(group.told for group in night.groups)
    bad = sum(group.bad for group in night.groups)
    lost = sum(group.lost for group in night.groups)
    failed = sum(group.verdict is Status.FAIL for group in night.groups)
    tail = f"; {lost} told nothing" if lost else ""
    return f"{failed} of {len(night.groups)} scenarios failed; {bad} of {told} boots failed{tail}."


def _grades(night: Night) -> list[str]:
    return [group.grade for group in night.groups if group.told or group.lost]


def _row(section: Section) -> str:
    group = section.group
    return f"[{group.grade}] {group.verdict}: {rate_sentence(section).replace('95% interval ', '')}"


def _failures(night: Night) -> list[tuple[Section, Failure]]:
    found = [(section, failure) for section in night.sections for failure in section.failures]
    return sorted(found, key=lambda pair: not pair[1].new)


def _made_of(night: Night) -> str:
    parts = {part: values for section in night.sections for part, values in section.made_of}
    made = "; ".join(f"{part} {values[0]}" for part, values in parts.items() if not part.startswith("initramfs "))
    runs = ", ".join(run.name for run in night.runs)
    return f"Runs {runs}. Host: {plain(night.runs[0].host, 200)}. Harness {night.runs[0].harness}. {plain(made, 600)}"


def _wrapped(text: str, margin: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent="  * ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _code(text: str) -> str:
    # Longer fences than any run of backquotes inside (CommonMark 6.1); a pipe would end a cell of a table.
    text = plain(text, 300).replace("|", "\u2502")
    runs = [len(run) for run in text.split("`")]
    fence = "``" if len(runs) > 1 else "`"
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if len(fence) > 1 else f"`{text}`"


def _md(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#" else c for c in text)
