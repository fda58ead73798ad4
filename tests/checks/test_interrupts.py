from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import around, expect, lost, sample

from harness.checks.base import Status
from harness.checks.interrupts import InterruptsCheck

PASS, FAIL = Status.PASS, Status.FAIL


def _check(**fields: Any) -> InterruptsCheck:
    return InterruptsCheck(source="i8042", during="keys", **fields)


@pytest.mark.parametrize(
    ("check", "grown", "status", "operands"),
    [
        (_check(count=10), (4, 6), PASS, ["i8042: 10 (CPU 0: 4, CPU 1: 6)"]),
        (_check(count=10), (4, 5), FAIL, ["i8042: 9 ", "expected 10: 1 lost"]),
        (_check(count=10), (4, 7), FAIL, ["i8042: 11 ", "expected 10: too many"]),
        (_check(count=0), (0, 0), PASS, []),
        (_check(count=0), (0, 1), FAIL, ["expected 0: too many"]),
        (_check(at_least=10), (10, 0), PASS, []),
        (_check(at_least=10), (9, 0), FAIL, ["9", "at least 10"]),
        (_check(at_most=10), (10, 0), PASS, []),
        (_check(at_most=10), (11, 0), FAIL, ["11", "at most 10"]),
        (_check(count=10, on_cpu=1), (0, 10), PASS, []),
        (_check(count=10, on_cpu=1), (1, 9), FAIL, ["expected all on CPU 1: 1 misrouted to CPU 0"]),
        (_check(count=10, on_cpu=0), (0, 10), FAIL, ["expected all on CPU 0: 10 misrouted to CPU 1"]),
        (_check(each_cpu=3), (3, 3), PASS, []),
        (_check(each_cpu=3), (3, 2), FAIL, ["expected 3 on each CPU: CPU 1 has 2"]),
        (_check(each_cpu=3), (0, 6), FAIL, ["CPU 0 has 0"]),
        (_check(each_cpu=3, count=5), (3, 3), FAIL, ["expected 5"]),
    ],
)
def test_a_change_is_compared(
    check: InterruptsCheck, grown: tuple[int, int], status: Status, operands: list[str]
) -> None:
    samples = around("keys", {"i8042": (100, 200)}, {"i8042": (100 + grown[0], 200 + grown[1])})
    expect(check, status, *operands, samples=samples)


def test_left_out_during_is_from_ready_to_the_end() -> None:
    samples = (sample("ready", {"NMI": (0, 0)}), sample("after x", {"NMI": (5, 5)}), sample("end", {"NMI": (1, 1)}))
    expect(InterruptsCheck(source="NMI", each_cpu=1), PASS, samples=samples)


def test_a_machine_wide_count_is_on_no_second_cpu() -> None:
    samples = around("keys", {"ERR": (0,)}, {"ERR": (2,)})
    expect(InterruptsCheck(source="ERR", during="keys", count=2), PASS, samples=samples)
    expect(InterruptsCheck(source="ERR", during="keys", each_cpu=2), FAIL, "CPU 1 has 0", samples=samples)


@pytest.mark.parametrize(
    ("samples", "operand"),
    [
        ((), "not asked for its interrupts before and after keys"),
        (around("keys", {"i8042": (0, 0)}, {"i8042": (5, 5)})[:1], "not asked"),
        (around("other", {"i8042": (0, 0)}, {"i8042": (5, 5)}), "not asked"),
        (around("keys", {"NMI": (0, 0)}, {"NMI": (5, 5)}), "no interrupt source 'i8042'; it has NMI"),
        (around("keys", {"i8042": (9, 0)}, {"i8042": (5, 5)}), "went down"),
        (
            (sample("before keys", {"i8042": (0, 0)}), sample("after keys", {"i8042": (10,)}, (0,))),
            "CPU 1 was offline at the second reading",
        ),
        (
            (sample("before keys", {"i8042": (0,)}, (0,)), sample("after keys", {"i8042": (5, 5)})),
            "CPU 1 was offline at the first reading",
        ),
    ],
)
def test_counts_that_nobody_saw_prove_nothing(samples: tuple[object, ...], operand: str) -> None:
    expect(_check(count=10), Status.INCONCLUSIVE, operand, samples=samples)


def test_a_lost_sample_proves_nothing() -> None:
    samples = around("keys", {"i8042": (0, 0)}, {"i8042": (5, 4)})
    expect(_check(count=10), Status.INCONCLUSIVE, "samples: the disk", samples=samples, losses=lost("samples"))
    expect(_check(count=10), FAIL, samples=samples, losses=lost("console"))


@pytest.mark.parametrize(
    "bad", [{"source": "NMI"}, {"source": "NMI", "on_cpu": 0}, {"source": "", "count": 1}, {"source": "x", "count": -1}]
)
def test_what_is_refused_at_loading(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InterruptsCheck.model_validate(bad)


def test_the_step_is_named_for_loading_and_the_guest_is_sampled_for_it() -> None:
    assert _check(count=1).steps_named() == ("keys",)
    assert InterruptsCheck(source="NMI", count=1).steps_named() == ()
    assert InterruptsCheck.needs_samples
