from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from harness.scenario import build_schema
from harness.scenario.load import KEYS
from harness.scenario.steps import STEPS

from .sample import CHECKS, HEAD, RICH

SCHEMA = build_schema(CHECKS)


def described(schema: Any, path: str = "") -> list[str]:
    """Paths of properties that explain nothing."""
    if isinstance(schema, list):
        return [found for item in schema for found in described(item, path)]
    if not isinstance(schema, dict):
        return []
    silent = [
        f"{path}.{name}"
        for name, field in schema.get("properties", {}).items()
        if isinstance(field, dict) and "description" not in field and "$ref" not in field and "anyOf" not in field
    ]
    return silent + [found for key, value in schema.items() for found in described(value, f"{path}.{key}")]


def test_it_is_json_and_the_same_every_time() -> None:
    assert json.loads(json.dumps(SCHEMA)) == build_schema(CHECKS)


def test_every_key_is_there_and_explained() -> None:
    assert tuple(SCHEMA["properties"]) == KEYS
    assert set(SCHEMA["properties"]["steps"]["items"]["properties"]) == set(STEPS)
    assert set(SCHEMA["properties"]["expect"]["items"]["properties"]) == set(CHECKS)
    assert described(SCHEMA) == []
    step = SCHEMA["properties"]["steps"]["items"]["properties"]["guest"]
    assert step["description"] == "Run a command in the guest over SSH."
    upload = SCHEMA["$defs"]["UploadStep"]
    assert upload["required"] == ["from", "to"]


def test_every_reference_leads_somewhere() -> None:
    names = set(SCHEMA["$defs"])
    assert {part.split('"')[0] for part in json.dumps(SCHEMA).split("#/$defs/")[1:]} <= names


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (HEAD, True),
        (RICH, True),
        (HEAD + "payload: vmpl_model", True),
        (HEAD + "payload: {image: x, args: {a: 1}}\nguest: null", True),
        (HEAD + "platforms: {kvm: , model: {payload: {args: x}}}", True),
        (HEAD + "machine: {vcpus: '${N}', network: '${B:-true}', type: '${T}', memory: '${M}'}", True),
        (HEAD + "machine: {irqchip: '${N}'}\nstability: {boots: '${N}', max_failure_rate: '${R}'}", True),
        (HEAD + "steps: [guest: uname, {qmp: {execute: x, paced_by: {source: a, each: '${N}'}}}]", True),
        (HEAD + "expect: [vcpus_online: '${N}', counted: ]", True),
        (HEAD + "machine: {memory: 512}", False),
        (HEAD + "machine: {vcpus: two}", False),
        (HEAD + "machine: {colour: red}", False),
        (HEAD + "steps: [{gest: x}]", False),
        (HEAD + "steps: [{guest: x, qmp: y}]", False),
        (HEAD + "steps: [wait: ]", True),  # that one of four is needed only loading can say
        (HEAD + "steps: [upload: {from: x}]", False),
        (HEAD + "payload: {args: x}", False),
        (HEAD + "platforms: {kwm: {}}", False),
        (HEAD + "matrix: {vcpus: 1}", False),
        ("about: y", False),
        ("name: '${N}'\nabout: y", False),
    ],
)
def test_it_accepts_what_loads_and_refuses_what_it_can(text: str, valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    assert validator.is_valid(yaml.safe_load(text)) == valid
