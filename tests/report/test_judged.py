from __future__ import annotations

from pathlib import Path

from harness.checks.base import Status
from harness.report.judged import judged_sections, rate_sentence

from .sample_night import make_night


def test_what_other_systems_count(tmp_path: Path) -> None:
    found = {section.group.scenario: tests for section, tests in judged_sections(make_night(tmp_path))}
    statuses = {name: [(test.name, test.status) for test in tests] for name, tests in found.items()}
    assert statuses["calls"] == [("calls", Status.FAIL)]
    assert statuses["broken"] == [("broken", Status.ERROR)]
    assert statuses["snp"] == [("snp", Status.UNSUPPORTED)]
    # The campaign accepts its failure: neither its variant nor its answer is one.
    assert statuses["often"] == [("often", Status.PASS), ("failure rate", Status.PASS)]
    assert "1 of 60 boots failed: 1.7%" in found["often"][1].why
    assert found["calls"][0].failure is not None and found["calls"][0].failure.example is not None


def test_the_rate_is_said_with_what_told_nothing(tmp_path: Path) -> None:
    said = {section.group.scenario: rate_sentence(section) for section in make_night(tmp_path).sections}
    assert said["calls"] == "1 of 1 boots failed: 100% (95% interval 2.5% to 100%, exact)"
    assert said["lost"] == said["broken"] == "none of 1 boots told anything"
