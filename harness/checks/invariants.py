"""``invariants``: relations between counted quantities, written in the scenario and printed with their operands.

``switches.down == guest.calls_answered`` is one. The language is Python's comparisons and arithmetic over the names
that :func:`quantities` lists, and nothing else: an expression is parsed, never evaluated by Python.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from harness.checks.base import Evidence, Verdict
from harness.checks.trace_check import TraceCheck
from harness.evidence.steps import StepIndex
from harness.evidence.trace import TraceFacts
from harness.scenario.suggest import did_you_mean

__all__ = ["InvariantsCheck", "quantities"]

_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NAMES = (
    "switches.requested", "switches.refused", "switches.completed", "switches.down", "switches.up",
    "requests.down", "requests.up", "aps.created", "aps.entered",
    "irqs.raised", "irqs.accepted", "irqs.delivered", "irqs.merged", "irqs.pending",
    "irqs.lost", "irqs.duplicated", "irqs.misrouted", "guest.calls_made", "guest.calls_answered", "guest.irqs", "vcpus",
)  # fmt: skip
_LONGEST = 500
_SUCH_AS = "write a comparison, such as switches.down == switches.up"


def quantities(trace: TraceFacts, evidence: Evidence, during: str | None) -> dict[str, float]:
    """Count everything that an expression can name; ``events.NAME`` is the number of trace lines of that event.

    Quantities under ``events`` are of the whole trace; all others are of the step ``during``, None for all. ``aps`` are
    the AP creation requests that start a vCPU, and those of them whose vCPU then ran, in that step or later.
    """
    assert trace.switches is not None and trace.irqs is not None  # TraceCheck.find
    total = trace.switches.numbers(step=during)
    down = trace.switches.numbers(to_vmpl=0, step=during)
    up = trace.switches.numbers(from_vmpl=0, step=during)
    irqs = trace.irqs.conservation(step=during)
    index = StepIndex(trace.switches.windows)
    aps = [ap for ap in trace.switches.ap_starts if during is None or index.step_at(ap.at, ap.line) == during]
    report = evidence.facts.report
    results = () if report is None else report.subresults
    figures = [f for r in results if during in (None, r.name[-1]) for f in r.figures]
    calls = [f for f in figures if f.label == "calls"]
    values: dict[str, float] = {
        "switches.requested": total.requested,
        "switches.refused": total.refused,
        "switches.completed": total.completed,
        "switches.down": down.completed,
        "switches.up": up.completed,
        "requests.down": down.requested,
        "requests.up": up.requested,
        "aps.created": len(aps),
        "aps.entered": sum(ap.entered_at is not None for ap in aps),
        "irqs.raised": irqs.raised,
        "irqs.accepted": irqs.accepted,
        "irqs.delivered": irqs.delivered,
        "irqs.merged": irqs.merged,
        "irqs.pending": irqs.pending,
        "irqs.lost": irqs.lost,
        "irqs.duplicated": irqs.duplicated,
        "irqs.misrouted": irqs.misrouted,
        "guest.calls_made": sum(f.get("made") or 0 for f in calls),
        "guest.calls_answered": sum(f.get("answered") or 0 for f in calls),
        "guest.irqs": sum(f.get("count") or 0 for f in figures if f.label == "irq"),
        "vcpus": evidence.facts.vcpus,
    }
    return values | {f"events.{name}": count for name, count in trace.integrity.by_name}


class InvariantsCheck(TraceCheck):
    """Expect relations between counted quantities."""

    key: ClassVar[str] = "invariants"
    scalar_field: ClassVar[str | None] = "hold"
    hold: tuple[str, ...] = Field(
        min_length=1,
        description=f"Comparisons over: {', '.join(_NAMES)}, and events.NAME for the lines of a trace event.",
        examples=[["switches.down == guest.calls_answered"]],
    )

    @field_validator("hold")
    @classmethod
    def _parses(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        for text in expressions:
            _check(_parse(text), text)
        return expressions

    def find_in(self, trace: TraceFacts, evidence: Evidence) -> Verdict:
        """Evaluate every expression; the first that does not hold is named with its operands."""
        report = evidence.facts.report
        if (report is None or not report.complete) and any("guest." in text for text in self.hold):
            return self.unknown("the guest's report is missing or cut, and with it what it counted")
        values = quantities(trace, evidence, self.during)
        for text in self.hold:
            compare = _parse(text)
            operands = [_value(node, values) for node in (compare.left, *compare.comparators)]
            pairs = zip(compare.ops, operands, operands[1:], strict=False)
            if not all(_COMPARISONS[type(op)](left, right) for op, left, right in pairs):
                return self.failed(f"{text} does not hold: {_operands(compare, values)}")
        return self.passed(f"{len(self.hold)} hold: {'; '.join(self.hold)}")


def _operands(compare: ast.Compare, values: Mapping[str, float]) -> str:
    named = {_name(node) for node in ast.walk(compare) if isinstance(node, ast.Name | ast.Attribute)}
    return ", ".join(f"{name} = {values.get(name, 0):g}" for name in sorted(named) if name == "vcpus" or "." in name)


def _parse(text: str) -> ast.Compare:
    if len(text) > _LONGEST:
        raise ValueError(f"an invariant is at most {_LONGEST} characters long")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ValueError(f"{text!r} is no expression; {_SUCH_AS}") from None
    if not isinstance(tree, ast.Compare):
        raise ValueError(f"{text!r} compares nothing; {_SUCH_AS}")
    return tree


def _check(node: ast.AST, text: str) -> None:
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARISONS for op in node.ops):
        for operand in (node.left, *node.comparators):
            _check(operand, text)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        _check(node.left, text)
        _check(node.right, text)
    elif isinstance(node, ast.Name | ast.Attribute):
        name = _name(node)
        if name not in _NAMES and not name.startswith("events."):
            raise ValueError(f"{text!r}: there is no quantity {name!r}{did_you_mean(name, _NAMES)}; see the schema")
    elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
        raise ValueError(f"{text!r}: only names, numbers, + - * and comparisons are understood")


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return "?"


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    return values.get(_name(node), 0)  # an event that the trace does not have happened 0 times
