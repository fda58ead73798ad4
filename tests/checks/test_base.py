from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import ClassVar

import pytest
from sample_facts import GOOD, evidence, lost, sample

from harness.checks.base import Check, Evidence, Status, Verdict, span, worst
from harness.evidence.records import Loss

FAIL, ERROR, INCONCLUSIVE, UNSUPPORTED, PASS = Status


@pytest.mark.parametrize(
    ("statuses", "decides"),
    [
        ([], INCONCLUSIVE),
        ([PASS], PASS),
        ([UNSUPPORTED], UNSUPPORTED),
        ([UNSUPPORTED, PASS], PASS),
        ([UNSUPPORTED, UNSUPPORTED], UNSUPPORTED),
        ([UNSUPPORTED, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, PASS], INCONCLUSIVE),
        ([UNSUPPORTED, INCONCLUSIVE, PASS], INCONCLUSIVE),
        ([ERROR, INCONCLUSIVE, PASS], ERROR),
        ([FAIL, ERROR, INCONCLUSIVE, UNSUPPORTED, PASS], FAIL),
    ],
)
def test_the_worst_decides_in_any_order(statuses: list[Status], decides: Status) -> None:
    assert {worst(order) for order in permutations(statuses)} == {decides}


class Rests(Check):
    """Rest on one part of the evidence."""

    key: ClassVar[str] = "rests"
    rests_on: ClassVar[frozenset[str]] = frozenset({"console", "samples"})
    good: bool = True

    def find(self, evidence: Evidence) -> Verdict:
        return self.found(self.good, "1 of 1")


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize(
    ("losses", "status"),
    [
        ((), None),
        (lost("qmp"), None),
        (lost("console"), INCONCLUSIVE),
        ((*lost("qmp"), Loss("samples", "no answer")), INCONCLUSIVE),
    ],
)
def test_a_loss_softens_both_answers(good: bool, losses: tuple[Loss, ...], status: Status | None) -> None:
    verdict = Rests(good=good).judge(evidence(losses=losses))
    assert verdict.status is (status or (PASS if good else FAIL))
    if status is not None:
        assert verdict.reason == str(losses[-1])


def test_a_check_that_finds_nothing_is_no_check() -> None:
    with pytest.raises(NotImplementedError):
        Check().find(evidence())


@pytest.mark.parametrize(
    ("labels", "during", "found"),
    [
        (("ready", "end"), None, True),
        (("ready",), None, False),
        (("end",), None, False),
        (("before a", "after a"), "a", True),
        (("before a",), "a", False),
        (("before a", "after a"), "b", False),
        (("ready", "end"), "a", False),
    ],
)
def test_a_span_has_two_ends(labels: tuple[str, ...], during: str | None, found: bool) -> None:
    facts = replace(GOOD, samples=tuple(sample(label, {"NMI": (1, 1)}) for label in labels))
    ends = span(facts, during)
    assert (ends and tuple(end.label for end in ends)) == (labels if found else None)
