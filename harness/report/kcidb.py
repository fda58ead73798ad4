"""Write a night for KernelCI's database: KCIDB schema 5.3, checked by kcidb-io's own validator (the extra ``kcidb``).

A test is a variant on a grade, and the grade is part of its path, so that no pass of the model is taken for one on SNP.
A "build" is the set of binaries that was booted, named by their digests: which sources they were built from, the record
does not know.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from harness.checks.base import Status
from harness.classify.kinds import OutcomeKind
from harness.errors import HarnessBug, InputError
from harness.report.gather import Failure, Night, Section
from harness.report.grades import HARDWARE, MEANING
from harness.report.judged import Judged, judged_sections
from harness.report.plain import plain

__all__ = ["render_kcidb"]

_ORIGIN = re.compile(r"[a-z0-9_]+")
# KCIDB: what is not known to have judged the tested code must not read as DONE or PASS.
_STATUS = {
    Status.PASS: "PASS",
    Status.FAIL: "FAIL",
    Status.INCONCLUSIVE: "ERROR",
    Status.ERROR: "ERROR",
    Status.UNSUPPORTED: "SKIP",
}
_OF_QEMU = (OutcomeKind.QEMU_CRASH, OutcomeKind.QEMU_EXIT)
_MOST_EXCERPT = 16_384


def render_kcidb(night: Night, origin: str = "svsm_harness") -> str:
    """Return the JSON document; ``origin`` is the name under which KernelCI knows the sender.

    :raise InputError: if kcidb-io is not installed, or the origin is no name of one.
    """
    if not _ORIGIN.fullmatch(origin):
        raise InputError(f"{origin!r} is no KCIDB origin: lower-case letters, digits and underscores")
    document = _document(night, origin)
    _require_valid(document)
    return json.dumps(document, indent=1) + "\n"


def _require_valid(document: Mapping[str, Any]) -> None:
    try:
        from kcidb_io.schema import LATEST  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("KCIDB needs kcidb-io: pip install 'svsm-harness[kcidb]'") from error
    if not LATEST.is_valid_exactly(document):
        raise HarnessBug("what was written is no KCIDB document")


def _document(night: Night, origin: str) -> dict[str, Any]:
    builds: dict[str, dict[str, Any]] = {}
    checkouts: dict[str, dict[str, Any]] = {}
    tests: list[dict[str, Any]] = []
    issues: dict[str, dict[str, Any]] = {}
    incidents: list[dict[str, Any]] = []
    started = min(run.started_utc for run in night.runs)
    for section, judged in judged_sections(night):
        made_of = {part: list(values) for part, values in section.made_of}
        key = _digest(json.dumps(made_of, sort_keys=True))
        checkouts[key] = {
            "id": f"{origin}:{key}",
            "origin": origin,
            "comment": "binaries that are named by digest; their sources are not known to the harness",
            "misc": {"made_of": made_of},
        }
        builds[key] = {
            "id": f"{origin}:{key}",
            "checkout_id": f"{origin}:{key}",
            "origin": origin,
            "architecture": "x86_64",
            "misc": {"made_of": made_of},
        }
        for test in judged:
            made = _test(test, night, f"{origin}:{key}", origin, started)
            tests.append(made)
            if test.failure is None or test.status not in (Status.FAIL, Status.ERROR):
                continue
            issue = _issue(test.failure, section, origin)
            issues[issue["id"]] = issue
            incidents.append(
                {
                    "id": f"{origin}:{_digest(made['id'] + issue['id'])}",
                    "origin": origin,
                    "issue_id": issue["id"],
                    "issue_version": 1,
                    "test_id": made["id"],
                    "present": True,
                }
            )
    return {
        "version": {"major": 5, "minor": 3},
        "checkouts": list(checkouts.values()),
        "builds": list(builds.values()),
        "tests": tests,
        "issues": list(issues.values()),
        "incidents": incidents,
    }


def _test(test: Judged, night: Night, build: str, origin: str, started: str) -> dict[str, Any]:
    group = test.section.group
    runs = ",".join(run.name for run in night.runs)
    misc: dict[str, Any] = {
        "grade": group.grade,
        "grade_meaning": MEANING.get(group.grade, ""),
        "variant": test.name,
        "verdict": str(test.status),
        "why": plain(test.why, 500),
        "scenario_boots": len(group.boots),
        "scenario_boots_failed": group.bad,
        "scenario_boots_told_nothing": group.lost,
    }
    if group.told:
        misc["scenario_failure_rate"] = group.bad / group.told
        misc["scenario_failure_rate_95"] = list(group.interval)
    if test.row is not None:
        misc |= {"passed": test.row.good, "failed": test.row.bad, "told_nothing": test.row.lost}
        if test.row.shown:
            misc["boot"] = test.row.shown
    made: dict[str, Any] = {
        "id": f"{origin}:{_digest(f'{runs} {group.grade} {group.scenario} {test.name}')}",
        "build_id": build,
        "origin": origin,
        "path": f"svsm_harness.{_word(group.grade)}.{_word(group.scenario)}",
        "comment": plain(f"{test.name} on {group.grade}", 300),
        "status": _STATUS[test.status],
        "start_time": started,
        "environment": {"comment": plain(night.runs[0].host, 300)},
        "misc": misc,
    }
    if test.failure is not None and test.status is not Status.PASS:
        misc["signature"] = test.failure.kind.signature
        if test.failure.example is not None:
            made["log_excerpt"] = "\n".join(test.failure.example.console)[-_MOST_EXCERPT:]
    if test.row is None and group.told:
        made["number"] = {"value": 100 * group.bad / group.told, "unit": "%"}
    return made


def _issue(failure: Failure, section: Section, origin: str) -> dict[str, Any]:
    group, kind = section.group, failure.kind
    outcome = kind.first.line.outcome
    # Where QEMU emulates the CPU, it is the tool; on hardware it is part of what is tested.
    of_tool = outcome is not None and outcome.kind in _OF_QEMU and group.grade not in HARDWARE and group.grade != "kvm"
    failed = kind.status is Status.FAIL
    return {
        "id": f"{origin}:{_digest(f'{group.grade} {kind.signature}')}",
        "version": 1,
        "origin": origin,
        "culprit": {"code": failed and not of_tool, "tool": failed and of_tool, "harness": not failed},
        "comment": plain(f"[{group.grade}] {kind.signature}", 300),
        "misc": {"grade": group.grade, "signature": kind.signature, "scenario": plain(group.scenario, 100)},
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _word(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text) or "_"
