from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessBug, InputError
from harness.report import kcidb
from harness.report.kcidb import render_kcidb

from .sample_night import make_night


@pytest.fixture
def document(tmp_path: Path) -> Any:
    pytest.importorskip("kcidb_io")
    return json.loads(render_kcidb(make_night(tmp_path)))


def _tests(document: Any) -> dict[str, Any]:
    return {test["path"]: test for test in document["tests"]}


def test_the_schemas_own_validator_accepts_it(document: Any) -> None:
    from kcidb_io.schema import LATEST  # type: ignore[import-untyped]

    assert LATEST.is_valid_exactly(document)
    assert not LATEST.is_valid_exactly({**document, "tests": [{"id": 1}]})


def test_the_grade_is_in_the_path_and_the_rate_in_misc(document: Any) -> None:
    tests = _tests(document)
    assert tests["svsm_harness.tcg.good"]["status"] == "PASS"
    assert tests["svsm_harness.model.calls"]["status"] == "FAIL"
    assert tests["svsm_harness.model.lost"]["status"] == "ERROR"
    assert tests["svsm_harness.svsm.snp"]["status"] == "SKIP"
    rate = tests["svsm_harness.model.often"]
    assert rate["misc"]["grade"] == "model"
    assert rate["misc"]["scenario_failure_rate"] == pytest.approx(1 / 60)
    assert rate["number"] == {"value": pytest.approx(100 / 60), "unit": "%"}


def test_issues_name_the_culprit_and_incidents_tie_them_to_tests(document: Any) -> None:
    issues = {issue["id"]: issue for issue in document["issues"]}
    by_test = {incident["test_id"]: issues[incident["issue_id"]] for incident in document["incidents"]}
    tests = _tests(document)
    of_code = by_test[tests["svsm_harness.model.calls"]["id"]]
    assert of_code["culprit"] == {"code": True, "tool": False, "harness": False}
    assert "script" in of_code["misc"]["signature"]
    of_harness = by_test[tests["svsm_harness.model.broken"]["id"]]
    assert of_harness["culprit"] == {"code": False, "tool": False, "harness": True}
    assert tests["svsm_harness.model.lost"]["id"] not in by_test


def test_the_log_says_the_last_words(document: Any) -> None:
    excerpt = _tests(document)["svsm_harness.model.calls"]["log_excerpt"]
    assert excerpt.endswith("last") and "\x00" not in excerpt


def test_ids_are_the_same_each_time_and_differ(document: Any) -> None:
    ids = [test["id"] for test in document["tests"]]
    assert len(set(ids)) == len(ids)


def test_a_bad_origin_and_a_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = make_night(tmp_path)
    with pytest.raises(InputError, match="origin"):
        render_kcidb(night, "Our Lab")
    monkeypatch.setitem(sys.modules, "kcidb_io.schema", None)
    with pytest.raises(InputError, match=r"svsm-harness\[kcidb\]"):
        render_kcidb(night)


def test_nothing_that_the_schema_refuses_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kcidb_io")
    monkeypatch.setattr(kcidb, "_STATUS", dict.fromkeys(kcidb._STATUS, "GREAT"))
    with pytest.raises(HarnessBug):
        render_kcidb(make_night(tmp_path))
