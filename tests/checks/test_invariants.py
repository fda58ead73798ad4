from __future__ import annotations

import ast
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sample_facts import evidence, expect
from sample_trace import Event, call, calls, counted, deliver, facts, key, report, start, within

from harness.checks.base import Status
from harness.checks.invariants import InvariantsCheck, quantities

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE

_AP: list[Event] = [(0, "kvm_vmgexit_enter", "vcpu 0, exit_reason 80000013, exit_info1 100020001, exit_info2 1000")]
TRACE = facts([
    *start(0),
    *within("boot", [*_AP, *start(1)]),
    *within("calls", [*call(0), *call(1), *call(0)]),
    *within("keys", [*key(), *deliver(0, 0x31)]),
])  # fmt: skip
REPORT = report(
    ("boot", ""), ("calls", f"{calls(2)}\n{calls(1, cpu=1)}"), ("keys", counted(0x31, 1)), totals=counted(0x31, 1)
)


@pytest.mark.parametrize(
    ("during", "expected"),
    [
        (None, {"switches.down": 3, "switches.up": 5, "switches.completed": 8, "switches.refused": 0,
                "requests.down": 3, "requests.up": 5, "switches.requested": 8, "aps.created": 1, "aps.entered": 1,
                "irqs.raised": 1, "irqs.accepted": 1, "irqs.delivered": 1, "irqs.lost": 0, "guest.calls_made": 3,
                "guest.calls_answered": 3, "guest.irqs": 1, "vcpus": 2, "events.kvm_set_irq": 1}),
        ("boot", {"switches.down": 0, "switches.up": 1, "aps.created": 1, "aps.entered": 1, "guest.calls_made": 0}),
        ("calls", {"switches.down": 3, "switches.up": 3, "guest.calls_made": 3, "irqs.raised": 0, "aps.created": 0}),
        ("keys", {"switches.completed": 0, "irqs.raised": 1, "guest.irqs": 1}),
    ],
)  # fmt: skip
def test_what_can_be_named_is_counted(during: str | None, expected: dict[str, float]) -> None:
    values = quantities(TRACE, evidence(trace=TRACE, report=REPORT), during)
    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("expression", "status", "operands"),
    [
        ("switches.down == guest.calls_answered", PASS, ["1 hold"]),
        ("switches.up == switches.down", FAIL, ["does not hold", "switches.down = 3", "switches.up = 5"]),
        ("switches.up == switches.down + vcpus", PASS, []),
        ("switches.up - switches.down == 2 * (vcpus - 1)", PASS, []),
        ("0 < switches.down <= 3 < switches.up", PASS, []),
        ("0 < switches.down < 3", FAIL, ["switches.down = 3"]),
        ("events.kvm_set_irq != 1", FAIL, ["events.kvm_set_irq = 1"]),
        ("events.of_nobody == 0", PASS, []),
        ("events.of_nobody > 0", FAIL, ["events.of_nobody = 0"]),
        ("vcpus == 3", FAIL, ["vcpus = 2"]),
    ],
)
def test_a_relation_holds_or_is_printed_with_its_operands(expression: str, status: Status, operands: list[str]) -> None:
    expect(InvariantsCheck(hold=(expression,)), status, *operands, trace=TRACE, report=REPORT)


def test_the_first_that_does_not_hold_is_named() -> None:
    check = InvariantsCheck(hold=("switches.down == 3", "switches.up == 4", "vcpus == 9"))
    expect(check, FAIL, "switches.up == 4 does not hold", trace=TRACE, report=REPORT)


@pytest.mark.parametrize("told", [None, report(("calls", calls(3)), plan=2)])
def test_what_the_guest_counted_is_not_known_from_a_cut_report(told: object) -> None:
    check = InvariantsCheck(hold=("switches.down == 3", "guest.calls_made == switches.down"))
    expect(check, INCONCLUSIVE, "report is missing or cut", trace=TRACE, report=told)
    expect(InvariantsCheck(hold=("switches.down == 3",)), PASS, trace=TRACE, report=told)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("__import__('os').system('true') == 0", "only names, numbers"),
        ("switches.down.__class__ == 1", "there is no quantity"),
        ("().__class__ == 1", "there is no quantity"),
        ("switches['down'] == 1", "only names, numbers"),
        ("[1 for _ in range(9)] == 1", "only names, numbers"),
        ("(lambda: 1)() == 1", "only names, numbers"),
        ("(vcpus := 3) == 3", "only names, numbers"),
        ("'a' == 'a'", "only names, numbers"),
        ("True == 1", "only names, numbers"),
        ("9 ** 9 ** 9 == 1", "only names, numbers"),
        ("1 << 999999999 == 1", "only names, numbers"),
        ("1 / 0 == 1", "only names, numbers"),
        ("vcpus if 1 else 2 == 1", "compares nothing"),
        ("-vcpus == 1", "only names, numbers"),
        ("vcpus in vcpus", "understood"),
        ("vcpus is vcpus", "understood"),
        ("vcpus == 1 and vcpus == 2", "compares nothing"),
        ("switches.down", "compares nothing"),
        ("1", "compares nothing"),
        ("", "no expression"),
        ("vcpus ==", "no expression"),
        ("vcpus = 2", "no expression"),
        ("vcpus == 1; import os", "no expression"),
        ("vcpus == \x00", "no expression"),
        ("switches.donw == 1", "did you mean"),
        ("vcpu == 1", "there is no quantity 'vcpu'"),
        ("1" * 501 + " == 1", "at most 500 characters"),
        ("(" * 240 + "1" + ")" * 240 + " == 1", "no expression"),
        ("1 == " + "1+" * 240 + "1", None),
    ],
)
def test_hostile_or_mistaken_expressions_are_refused_when_they_are_read(expression: str, why: str | None) -> None:
    if why is None:
        expect(InvariantsCheck(hold=(expression,)), FAIL, trace=TRACE, report=REPORT)
        return
    with pytest.raises(ValidationError, match=why):
        InvariantsCheck(hold=(expression,))


def test_an_empty_list_holds_nothing() -> None:
    with pytest.raises(ValidationError):
        InvariantsCheck(hold=())


@dataclass
class _Term:
    text: str
    value: float


def _leaf() -> st.SearchStrategy[_Term]:
    values = quantities(TRACE, evidence(trace=TRACE, report=REPORT), None)
    names = st.sampled_from(sorted(values)).map(lambda name: _Term(name, values[name]))
    return names | st.integers(0, 1000).map(lambda number: _Term(str(number), number))


def _join(left: _Term, sign: str, right: _Term) -> _Term:
    value = {"+": left.value + right.value, "-": left.value - right.value, "*": left.value * right.value}[sign]
    return _Term(f"({left.text} {sign} {right.text})", value)


_TERMS = st.recursive(_leaf(), lambda inner: st.builds(_join, inner, st.sampled_from("+-*"), inner), max_leaves=6)
_SIGNS = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
          ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}  # fmt: skip


@given(left=_TERMS, right=_TERMS, sign=st.sampled_from(sorted(_SIGNS)))
def test_expressions_mean_what_they_mean_in_python(left: _Term, right: _Term, sign: str) -> None:
    check = InvariantsCheck(hold=(f"{left.text} {sign} {right.text}",))
    holds = _SIGNS[sign](left.value, right.value)
    expect(check, PASS if holds else FAIL, trace=TRACE, report=REPORT)


_FRAGMENTS = st.sampled_from(
    ["vcpus", "switches.down", "events.x", "1", "0x1F", "1e9", "+", "-", "*", "/", "**", "==", "<", "(", ")", ".", "[",
     "]", "'", "__class__", "lambda", ":", ",", "not", "and", "if", "else", "\n", "\\", "é", "f'{1}'", "await", "%"]
)  # fmt: skip


@given(st.lists(_FRAGMENTS, max_size=12).map(" ".join) | st.text(max_size=60))
def test_any_text_is_refused_or_judged_and_nothing_else(text: str) -> None:
    try:
        check = InvariantsCheck(hold=(text,))
    except ValidationError:
        return
    # What is taken is only comparisons, arithmetic, names and numbers.
    kinds = {type(node) for node in ast.walk(ast.parse(text.strip(), mode="eval"))}
    assert not kinds & {ast.Call, ast.Subscript, ast.Lambda, ast.Pow, ast.BoolOp, ast.IfExp, ast.JoinedStr}
    assert check.judge(evidence(trace=TRACE, report=REPORT)).status in (PASS, FAIL)
