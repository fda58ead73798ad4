"""Describe scenario files as JSON Schema, for completion, hover texts and checks in editors.

The schema is laxer than loading where a schema cannot know better (variables, names of steps, positions).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from harness.scenario.base import Keyed
from harness.scenario.confidential import Snp, Svsm
from harness.scenario.demand import HostDemand
from harness.scenario.expectation import Expectation
from harness.scenario.load import KEYS, OVERRIDABLE, Head
from harness.scenario.model import Guest, Machine, Payload, Platform, Stability
from harness.scenario.perturb import Perturb
from harness.scenario.resolve import Limits
from harness.scenario.steps import STEPS
from harness.scenario.trace import Trace

__all__ = ["build_schema"]

_VARIABLE = {"$ref": "#/$defs/Variable"}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_GRADES = {
    Platform.MODEL: "The VMPL model payload: the weakest evidence.",
    Platform.NOCC: "A real SVSM without SNP: no VMPL below it, no guest above it.",
    Platform.TCG: "Real Linux on a CPU that QEMU emulates.",
    Platform.KVM: "Real KVM without SNP.",
    Platform.SNP: "SEV-SNP.",
    Platform.SVSM: "SEV-SNP with an SVSM at VMPL0: the strongest evidence.",
}
_ENTRIES = {
    "steps": "What is done to the booted guest, in order; each entry is one key.",
    "expect": "What must hold, judged over the evidence; each entry is one check.",
}
_MATRIX = (
    "Axes of the matrix: axis → list of values. An axis is a key such as machine.vcpus (or just vcpus, for a key of "
    "machine), or a plain name; each can be used as ${NAME}."
)


def build_schema(checks: Mapping[str, type[Expectation]]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file whose ``expect`` knows ``checks``, by key."""
    kinds: list[type[BaseModel]] = [
        Machine,
        Guest,
        Payload,
        Snp,
        Svsm,
        Trace,
        HostDemand,
        Perturb,
        Stability,
        Head,
        Limits,
        *STEPS.values(),
        *checks.values(),
    ]
    # By position, not by name: two checks may call their models the same.
    refs, generated = models_json_schema([(kind, "validation") for kind in kinds], ref_template="#/$defs/{model}")
    defs: dict[str, Any] = {name: _untitled(schema) for name, schema in generated["$defs"].items()}
    ref = {kind: refs[kind, "validation"] for kind in kinds}
    # Name and tags are read before any variable has a value.
    head = defs.pop(_name(ref[Head]))
    defs = {name: _variable_too(_lax(schema)) if "enum" in schema else _lax(schema) for name, schema in defs.items()}
    limits = defs.pop(_name(ref[Limits]))
    sections: dict[str, Any] = {
        "machine": ref[Machine],
        "guest": _or_null(ref[Guest]),
        "snp": _or_null(ref[Snp]),
        "svsm": _or_null(ref[Svsm]),
        "trace": _or_null(ref[Trace]),
        "host": _or_null(ref[HostDemand]),
        "payload": _or_null(ref[Payload], {"type": "string", "description": "The payload's image."}),
        "steps": _one_key_list(STEPS, ref, defs, _ENTRIES["steps"]),
        "expect": _one_key_list(checks, ref, defs, _ENTRIES["expect"]),
        "timeout": limits["properties"]["timeout"],
    }
    properties = {
        **head["properties"],
        **sections,
        "perturb": _or_null(ref[Perturb]),
        "stability": limits["properties"]["stability"],
        "vars": {
            "type": "object",
            "additionalProperties": _SCALAR,
            "description": "Variables and their defaults, used as ${NAME}; --set, the matrix and the environment win.",
        },
        "matrix": _matrix(),
        "platforms": _platforms(sections, defs, ref),
    }
    defs["Variable"] = {"type": "string", "pattern": r"\$\{", "description": "A variable: ${NAME} or ${NAME:-default}."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "svsm-harness scenario",
        "description": "One scenario: what to boot, what to do to it, and what must hold.",
        "type": "object",
        "required": ["name", "about"],
        "additionalProperties": False,
        "properties": {key: properties[key] for key in KEYS},
        "$defs": dict(sorted(defs.items())),
    }


def _name(ref: Mapping[str, Any]) -> str:
    return str(ref["$ref"]).rpartition("/")[2]


def _or_null(*choices: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*choices, {"type": "null"}]}


# One object with every key rather than a choice between objects: editors complete its keys, and say "unknown key"
# instead of "matches none of 6".
def _one_key_list(
    kinds: Mapping[str, type[Keyed]], ref: Mapping[Any, Any], defs: Mapping[str, Any], about: str
) -> dict[str, Any]:
    properties = {}
    for key, kind in sorted(kinds.items()):
        schema = defs[_name(ref[kind])]
        choices = [ref[kind]]
        if kind.scalar_field is not None:
            field = schema["properties"][kind.scalar_field]
            choices.append({name: value for name, value in field.items() if name not in ("default", "description")})
        if not schema.get("required"):
            choices.append({"type": "null"})
        summary = (kind.__doc__ or key).strip().partition("\n")[0]
        properties[key] = {"description": summary, **(choices[0] if len(choices) == 1 else {"anyOf": choices})}
    return {
        "type": "array",
        "description": about,
        "items": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": properties,
        },
    }


def _matrix() -> dict[str, Any]:
    points = {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR, "minProperties": 1}}
    return {
        "type": "object",
        "description": _MATRIX,
        "properties": {
            "exclude": {**points, "description": "Points to leave out: every point that has these values."},
            "include": {**points, "description": "Points to add; each names a value for every axis."},
        },
        "additionalProperties": {"type": "array", "items": _SCALAR, "minItems": 1},
    }


def _platforms(sections: Mapping[str, Any], defs: dict[str, Any], ref: Mapping[Any, Any]) -> dict[str, Any]:
    name = _name(ref[Payload])
    # An override need not name the image again.
    defs[f"{name}Override"] = {key: value for key, value in defs[name].items() if key != "required"}
    over = {key: sections[key] for key in OVERRIDABLE}
    over["payload"] = _or_null({"$ref": f"#/$defs/{name}Override"}, {"type": "string"})
    choice = {"type": ["object", "null"], "additionalProperties": False, "properties": over}
    defs["PlatformOverride"] = choice
    return {
        "type": "object",
        "description": "Platforms to try, best evidence first, each with what differs there; lists replace. "
        "Left out: kvm and tcg (model for the payload vmpl_model).",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            str(platform): {"$ref": "#/$defs/PlatformOverride", "description": about}
            for platform, about in _GRADES.items()
        },
    }


# pydantic's titles only repeat the keys.
def _untitled(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # Below "properties", title would be a key of the scenario.
    return {
        key: {name: _untitled(field) for name, field in value.items()} if key == "properties" else _untitled(value)
        for key, value in schema.items()
        if key != "title"
    }


# Let ${NAME} stand where loading would put its value.
def _lax(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_lax(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    lax = {}
    for key, value in schema.items():
        if key == "properties":
            lax[key] = {name: _variable_too(_lax(field)) for name, field in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            lax[key] = _variable_too(_lax(value))
        elif key in ("default", "examples", "enum", "const"):
            lax[key] = value
        else:
            lax[key] = _lax(value)
    return lax


def _variable_too(schema: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {key: schema[key] for key in ("description", "default", "examples") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in about}
    free_text = rest.get("type") == "string" and not rest.keys() & {"pattern", "enum", "const", "format"}
    if free_text or rest.get("type") in ("array", "object") or "$ref" in rest or not rest:
        return schema
    choices = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {**about, "anyOf": [*choices, _VARIABLE]}
