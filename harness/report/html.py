"""Write the page: one file without script and without network, light or dark as the reader has it, fit for paper."""

from __future__ import annotations

import shlex
from collections import Counter
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.checks.base import Status
from harness.clock import utc_now
from harness.history.change import Direction
from harness.history.tally import Group
from harness.report.figures import can_draw, draw_phases, image_of
from harness.report.gather import Night, Section
from harness.report.grades import HARDWARE, MEANING, caution, ladder
from harness.report.plain import plain
from harness.units import format_duration, format_rate

__all__ = ["render_html"]

_SIGNS = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.ERROR: "!",
    Status.INCONCLUSIVE: "?",
    Status.UNSUPPORTED: "—",
}


def render_html(night: Night, *, title: str = "svsm-harness report") -> str:
    """Return the page as one HTML document; UTF-8."""
    template = _environment().get_template("page.html")
    grades = tuple(dict.fromkeys(group.grade for group in night.groups if group.told or group.lost))
    return template.render(
        title=title,
        made_utc=utc_now().isoformat(timespec="minutes"),
        night=night,
        caution=caution(grades),
        by_grade=[(grade, MEANING[grade], _counts(night, grade)) for grade in ladder()],
        worse=[change for change in night.changes if change.direction is Direction.WORSE],
        others=[change for change in night.changes if change.direction is not Direction.WORSE],
        new_failures=[(s, f) for s in night.sections for f in s.failures if f.new],
        sentence=_sentence(night),
        drawn=can_draw(),
    )


@cache
def _environment() -> Environment:
    # Everything is escaped: no template says otherwise, and there is no |safe in them (tests/report/test_html.py).
    environment = Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": format_rate,
        "duration": format_duration,
        "sign": lambda status: _SIGNS[Status(status)],
        "plain": plain,
        "anchor": _anchor,
        "plot": _plot,
        "hardware": lambda grade: grade in HARDWARE,
        "rank": lambda grade: ladder().index(grade) + 1 if grade in ladder() else 0,
        "quote": shlex.quote,
        "median": lambda times: sorted(times)[len(times) // 2],
        "spread": _spread,
    }
    environment.globals["rungs"] = len(ladder())
    environment.globals["style"] = (Path(__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
    return environment


def _counts(night: Night, grade: str) -> Counter[str]:
    return Counter(str(boot.line.status) for group in night.groups if group.grade == grade for boot in group.boots)


def _sentence(night: Night) -> str:
    # What the first glance should get, in one line.
    told = sum(group.told for group in night.groups)
    bad = sum(group.bad for group in night.groups)
    failed = sum(group.verdict is Status.FAIL for group in night.groups)
    lost = sum(group.lost for group in night.groups)
    parts = [f"{failed} of {len(night.groups)} scenarios failed" if failed else "no scenario failed"]
    parts.append(f"{bad} of {told} boots failed")
    known = sum(group.known for group in night.groups)
    if known:
        parts[-1] += f", {known} of them as known issues"
    if lost:
        parts.append(f"{lost} told nothing")
    return "; ".join(parts)


def _anchor(group: Group) -> str:
    return "s-" + "".join(c if c.isalnum() else "-" for c in f"{group.grade}-{group.scenario}")


def _plot(section: Section) -> str | None:
    svg = draw_phases(
        f"start-up of {section.group.scenario} on {section.group.grade}",
        dict(section.phases),
        section.phases_before,
    )
    return None if svg is None else image_of(svg)


def _spread(times: tuple[float, ...]) -> tuple[float, float]:
    # Nearest rank: durations that occurred.
    ordered = sorted(times)
    return ordered[-(-5 * len(ordered) // 100) - 1], ordered[-(-95 * len(ordered) // 100) - 1]
