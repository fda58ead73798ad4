"""Write a night as JUnit XML: a suite for each scenario on each grade, its rate and grade as properties.

The dialect is pytest's (``junit_family=xunit2``), which GitLab, Jenkins and GitHub's actions read.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.checks.base import Status
from harness.report.gather import Night, Section
from harness.report.grades import MEANING
from harness.report.judged import Judged, judged_sections
from harness.report.plain import plain

__all__ = ["render_junit"]

_TAGS = {Status.FAIL: "failure", Status.ERROR: "error", Status.INCONCLUSIVE: "error", Status.UNSUPPORTED: "skipped"}


def render_junit(night: Night, links: Mapping[str, str] | None = None) -> str:
    """Return the document; ``links`` maps names of properties (``page``) to where something is."""
    root = Element("testsuites", name="svsm-harness")
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for section, tests in judged_sections(night):
        group = section.group
        suite = SubElement(root, "testsuite", name=f"{plain(group.scenario, 100)} on {group.grade}")
        counts = {
            "tests": len(tests),
            "failures": sum(test.status is Status.FAIL for test in tests),
            "errors": sum(test.status in (Status.ERROR, Status.INCONCLUSIVE) for test in tests),
            "skipped": sum(test.status is Status.UNSUPPORTED for test in tests),
        }
        for key, count in counts.items():
            suite.set(key, str(count))
            total[key] += count
        suite.set("time", f"{sum(boot.line.duration_s for boot in group.boots):.3f}")
        suite.set("timestamp", min(run.started_utc for run in night.runs))
        _properties(suite, {**_of_group(section), **(links or {})})
        for test in tests:
            _case(suite, test)
    for key, count in total.items():
        root.set(key, str(count))
    indent(root, " ")
    return "<?xml version='1.0' encoding='utf-8'?>\n" + tostring(root, "unicode") + "\n"


def _of_group(section: Section) -> dict[str, str]:
    group = section.group
    found = {
        "grade": group.grade,
        "grade_meaning": MEANING.get(group.grade, ""),
        "verdict": str(group.verdict),
        "boots": str(len(group.boots)),
        "boots_failed": str(group.bad),
        "boots_told_nothing": str(group.lost),
    }
    if group.told:
        found["failure_rate"] = f"{group.bad / group.told:.6g}"
        found["failure_rate_low"], found["failure_rate_high"] = (f"{end:.6g}" for end in group.interval)
        found["failure_rate_interval"] = "95% " + ("exact" if group.exact else "anytime-valid")
    if section.change is not None and section.change.rate_p is not None:
        found["rate_changed_p"] = f"{section.change.rate_p:.6g}"
    return found


def _case(suite: Element, test: Judged) -> None:
    group = test.section.group
    case = SubElement(suite, "testcase", classname=f"{group.grade}.{plain(group.scenario, 100)}", name=test.name)
    shown = None if test.row is None else test.row.shown
    boots = [boot for boot in group.boots if test.row is None or plain(boot.line.identity.variant, 200) == test.name]
    case.set("time", f"{0.0 if test.row is None else sum(boot.line.duration_s for boot in boots):.3f}")
    found = {"grade": group.grade}
    if test.row is not None:
        found |= {"passed": str(test.row.good), "failed": str(test.row.bad), "told_nothing": str(test.row.lost)}
    if shown is not None:
        found |= {"boot": shown, "reproduce": f"svsm-harness repro {shown}"}
    if test.failure is not None and test.status is not Status.PASS:
        found["signature"] = test.failure.kind.signature
    _properties(case, found)
    tag = _TAGS.get(test.status)
    if tag is None:
        return
    message = f"[{group.grade}] {test.status}: {plain(test.why, 500)}"
    element = SubElement(case, tag, message=message, type=str(test.status))
    example = None if test.failure is None else test.failure.example
    if example is not None:
        console = "\n".join(example.console)
        element.text = f"{example.name}: {example.reason}\n{example.outcome}\n\nend of the console:\n{console}\n"


def _properties(parent: Element, values: Mapping[str, str]) -> None:
    properties = SubElement(parent, "properties")
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=plain(value, 500))
