"""The schema that editors use is the one that the code generates, and the shipped scenarios fit it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.catalogue import find_files
from harness.checks import all_checks
from harness.scenario.schema import build_schema

ROOT = Path(__file__).parent.parent
SCENARIOS = sorted(find_files([ROOT / "scenarios"]))


def test_the_file_is_what_the_code_generates() -> None:
    kept = json.loads((ROOT / "scenarios" / "schema.json").read_text())
    assert kept == build_schema(all_checks()), "run: svsm-harness schema >scenarios/schema.json"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_shipped_scenario_fits_the_schema(path: Path) -> None:
    schema = json.loads((ROOT / "scenarios" / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


def test_scenarios_are_shipped() -> None:
    assert SCENARIOS
