from __future__ import annotations

from typing import Any

from sample_results import boot_line, boot_record

from harness.checks.base import Status, Verdict
from harness.report.expected import Row, rows_of


def _rows(expect: Any, *verdicts: Verdict) -> tuple[Row, ...]:
    line = boot_line()
    line = type(line)(**{name: getattr(line, name) for name in line.__slots__} | {"verdicts": verdicts})
    return rows_of(boot_record(line, setting={"expect": expect}), line)


def _switches(status: Status, reason: str) -> Verdict:
    return Verdict("vmpl_switches", status, reason)


def test_each_expectation_stands_beside_what_was_seen() -> None:
    expect = [
        {"vmpl_switches": {"from": 2, "to": 0, "count": 10, "vcpu": None, "balanced": False, "per_call": {"made": 2}}},
        {"console": {"contains": ["x"]}},
        {"vmpl_switches": {"of": "refused", "count": 0, "balanced": True}},
        {"invariants": {"hold": ["a == b", "c == d"]}},
    ]
    rows = _rows(
        expect,
        Verdict("outcome", Status.PASS, "added by the harness"),
        _switches(Status.FAIL, "11"),
        Verdict("console", Status.PASS, "no number"),
        _switches(Status.PASS, "0"),
        Verdict("invariants", Status.PASS, "2 hold"),
    )
    assert [(row.expected, row.seen, row.status) for row in rows] == [
        ("from: 2, to: 0, count: 10, per_call: {made: 2}", "11", Status.FAIL),
        ("of: refused, count: 0, balanced: true", "0", Status.PASS),
        ("hold: [a == b, c == d]", "2 hold", Status.PASS),
    ]


def test_a_setting_of_another_version_gives_no_rows() -> None:
    assert _rows("text", _switches(Status.PASS, "0")) == ()
    assert _rows([1, {"a": 1, "b": 2}, {"vmpl_switches": {}}]) == ()
