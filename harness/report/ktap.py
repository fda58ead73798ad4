"""Write a night as KTAP (Linux Documentation/dev-tools/ktap.rst, version 1): a test a scenario and grade."""

from __future__ import annotations

from harness.checks.base import Status
from harness.report.gather import Night
from harness.report.grades import MEANING
from harness.report.judged import Judged, judged_sections, rate_sentence
from harness.report.plain import plain

__all__ = ["render_ktap"]


def render_ktap(night: Night) -> str:
    """Return the document.

    What told nothing is ``not ok``: KTAP has no third answer, and it must not read as a pass.
    """
    sections = list(judged_sections(night))
    lines = ["KTAP version 1", f"1..{len(sections)}"]
    for number, (section, tests) in enumerate(sections, start=1):
        group = section.group
        lines.append(f"# grade {group.grade}: {MEANING.get(group.grade, '')}")
        lines.append(f"# {rate_sentence(section)}")
        lines += ["    KTAP version 1", f"    1..{len(tests)}"]
        for index, test in enumerate(tests, start=1):
            if test.status not in (Status.PASS, Status.UNSUPPORTED):
                lines.append(f"    # {test.status}: {plain(test.why, 300)}")
                if test.row is not None and test.row.shown:
                    lines.append(f"    # svsm-harness repro {test.row.shown}")
            lines.append("    " + _result(index, test.name, test.status, _why_skipped(test)))
        lines.append(_result(number, f"{group.grade}.{plain(group.scenario, 100)}", group.verdict, ""))
    return "\n".join(lines) + "\n"


def _why_skipped(test: Judged) -> str:
    return plain(test.why, 200).replace("#", "")


def _result(number: int, name: str, status: Status, why: str) -> str:
    # A # in a description would begin a directive.
    name = name.replace("#", "_")
    if status is Status.UNSUPPORTED:
        return f"ok {number} {name} # SKIP {why}".rstrip()
    return f"{'ok' if status is Status.PASS else 'not ok'} {number} {name}"
