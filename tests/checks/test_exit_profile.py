"""``exit_profile``: reasons counted, limits compared, entries paired with exits."""

from __future__ import annotations

from typing import Any

import pytest
from sample_facts import expect

from harness.checks.base import Status
from harness.checks.exit_profile import ExitProfileCheck
from harness.evidence.flavour import Flavour
from harness.evidence.trace import TraceFacts, read_trace

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def trace(*words: str, lost: bool = False) -> TraceFacts:
    """Write ``0>`` for an entry of vCPU 0, ``0<hlt`` for an exit, and ``begin`` or ``end`` for a mark of step idle."""
    rows = []
    for at_us, word in enumerate(words):
        vcpu, text = 0, f"tracing_mark_write: step=idle {word}"
        if word[0].isdigit():
            vcpu = int(word[0])
            text = f"kvm_entry: vcpu {vcpu}, rip 0x0"
            if word[1] == "<":
                info = "info1 0x0000000000000000 info2 0x0000000000000000 intr_info 0x00000000 error_code 0x00000000"
                text = f"kvm_exit: vcpu {vcpu} reason {word[2:]} rip 0x0 {info}"
        rows.append(f" CPU {vcpu}/KVM-{10 + vcpu}    [00{vcpu}] d....     1.{at_us:06d}: {text}\n")
    rows += ["CPU:0 [LOST 5 EVENTS]\n"] if lost else []
    return read_trace(["".join(rows).encode()], 2, Flavour.MAINLINE, keep=ExitProfileCheck().kept_events())


GOOD = ("0>", "0<io", "0>", "0<io", "1>", "begin", "0>", "0<hlt", "1<hlt", "end", "0>")


@pytest.mark.parametrize(
    ("keys", "words", "status", "operand"),
    [
        ({}, GOOD, PASS, "4 exits (vCPU 0: 3, vCPU 1: 1): io 2, hlt 2"),
        ({"during": "idle"}, GOOD, PASS, "2 exits (vCPU 0: 1, vCPU 1: 1): hlt 2"),
        ({"at_least": {"hlt": 2, "total": 4}}, GOOD, PASS, ""),
        ({"at_least": {"hlt": 3}}, GOOD, FAIL, "hlt: 2, expected at least 3"),
        ({"at_least": {"npf": 1}}, GOOD, FAIL, "npf: 0, expected at least 1"),
        ({"at_most": {"io": 2, "shutdown": 0}}, GOOD, PASS, ""),
        ({"at_most": {"io": 1}}, GOOD, FAIL, "io: 2, expected at most 1"),
        ({"at_most": {"total": 3}}, GOOD, FAIL, "total: 4, expected at most 3"),
        ({}, (*GOOD, "0>"), FAIL, "vCPU 0 entered 5 times and left 3 times"),
        ({}, ("0<io", "0<io"), FAIL, "vCPU 0 entered 0 times and left 2 times"),
        ({}, ("0>", "1>"), FAIL, "0 exits (none): none: a guest under KVM has exits"),
        ({"during": "boot"}, GOOD, INCONCLUSIVE, "no step 'boot'; it has idle"),
        ({"during": "idle"}, GOOD[:8], INCONCLUSIVE, "began and never ended"),
    ],
)
def test_exits_are_judged(keys: dict[str, Any], words: tuple[str, ...], status: Status, operand: str) -> None:
    expect(ExitProfileCheck.model_validate(keys), status, operand, trace=trace(*words))


def test_a_trace_that_lost_events_decides_nothing() -> None:
    expect(ExitProfileCheck(), INCONCLUSIVE, "the trace is not whole", trace=trace(*GOOD, lost=True))
    expect(ExitProfileCheck(), INCONCLUSIVE, "no trace", trace=None)


def test_reasons_beyond_the_common_ones_are_added_up() -> None:
    words = [word for n in range(15) for word in ("0>", f"0<reason_{n:02d}")]
    expect(ExitProfileCheck(), PASS, "15 exits (vCPU 0: 15): reason_00 1", "others 3", trace=trace(*words))


def test_it_asks_for_what_it_looks_at() -> None:
    assert ExitProfileCheck().trace_events() == {"kvm:kvm_entry", "kvm:kvm_exit"}
    assert "kvm:kvm_hypercall" in ExitProfileCheck(during="idle").trace_events()
