from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ValidationError

from harness.scenario import Guest, Machine, Payload, Platform, Stability
from harness.scenario.load import Head
from harness.scenario.resolve import Limits
from harness.scenario.steps import STEPS


def test_platforms_have_an_order() -> None:
    assert [platform.value for platform in sorted(Platform, key=lambda platform: platform.rank)] == [
        "model", "nocc", "tcg", "kvm", "snp", "svsm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "rendered"),
    [("a=1 b", "a=1 b"), ({"a": 1, "b": "x", "c": True}, "a=1 b=x c=true"), ({}, "")],
)
def test_payload_arguments(args: object, rendered: str) -> None:
    assert Payload.model_validate_json(json.dumps({"image": "x", "args": args})).args == rendered


@pytest.mark.parametrize("args", [{"a": "b c"}, {"a b": 1}, {"a": ""}, {"a": [1]}, {"a": {}}, {"a": None}, 7])
def test_payload_arguments_that_would_fall_apart(args: object) -> None:
    with pytest.raises(ValidationError):
        Payload.model_validate_json(json.dumps({"image": "x", "args": args}))


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_certainty_is_not_to_be_had(confidence: float) -> None:
    with pytest.raises(ValidationError):
        Stability(boots=1, max_failure_rate=0.1, confidence=confidence)


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Machine().vcpus = 2  # type: ignore[misc]


@pytest.mark.parametrize("model", [Head, Limits, Machine, Guest, Payload, Stability, *STEPS.values()])
def test_every_field_is_explained_and_every_default_is_valid(model: type[BaseModel]) -> None:
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", ")", '".')), field.description
    needed = {name: None for name, field in model.model_fields.items() if field.is_required()}
    defaults = model.model_construct(**needed).model_dump(mode="json", exclude=set(needed), by_alias=True)
    try:
        model.model_validate_json(json.dumps(defaults))
    except ValidationError as invalid:
        # What is needed is missing; what is there must be right.
        assert {error["type"] for error in invalid.errors()} <= {"missing", "value_error"}
