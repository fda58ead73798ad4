from __future__ import annotations

from dataclasses import replace

import pytest
from sample_facts import expect, lost
from sample_trace import call, facts, mark, start, text_of, within

from harness.checks.base import Status
from harness.checks.invariants import InvariantsCheck
from harness.checks.irq_routing import IrqRoutingCheck
from harness.checks.switch_latency import SwitchLatencyCheck
from harness.checks.trace_check import TraceCheck
from harness.checks.vmpl_switches import VmplSwitchesCheck
from harness.evidence.trace import TraceFacts, read_trace

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE

WHOLE = [*start(0), *within("calls:1", call(0))]
# Each passes on WHOLE.
CHECKS: list[TraceCheck] = [
    VmplSwitchesCheck(from_vmpl=2, to_vmpl=0, count=1),
    IrqRoutingCheck(vector=0x31, count=0),
    InvariantsCheck(hold=("switches.down == 1",)),
    SwitchLatencyCheck(within="1s"),
]
EVERY_CHECK = pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.key))


def _damaged(old: bytes, new: bytes) -> TraceFacts:
    text = text_of(WHOLE)
    assert old in text
    return read_trace([text.replace(old, new, 1)], 2)


@EVERY_CHECK
def test_a_whole_trace_is_judged(check: TraceCheck) -> None:
    expect(check, PASS, trace=facts(WHOLE))
    expect(check.model_copy(update={"during": "calls:1"}), PASS, trace=facts(WHOLE))


@EVERY_CHECK
@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (None, "no trace"),
        (read_trace([b""], 2), "the trace is empty"),
        (read_trace([text_of([], end=False)], 2), "the trace is empty"),
        # QEMU was killed: the last line is cut, or the model never came to its end.
        (facts(WHOLE, end=False), "the model's last line is missing"),
        (read_trace([text_of(WHOLE)[:-30]], 2), "the trace is not whole"),
        # The fault trace-lost: a number is missing, and the count at the end is one more than there are.
        (_damaged(b"seq=0:3\n", b"seq=0:99\n"), "the sequence number jumps"),
        (_damaged(b"lines=15", b"lines=16"), "the model's line count does not match"),
        (_damaged(b"kvm_entry: vcpu 0, rip", b"kvm_entry: vc\x00\xff\xfe"), "the trace is not whole"),
    ],
)
def test_a_trace_that_is_missing_cut_or_holed_is_never_a_pass(
    check: TraceCheck, trace: TraceFacts | None, reason: str
) -> None:
    expect(check, INCONCLUSIVE, reason, trace=trace)


@EVERY_CHECK
def test_a_lost_trace_file_is_named(check: TraceCheck) -> None:
    expect(check, INCONCLUSIVE, "trace: the disk was full", trace=facts(WHOLE), losses=lost("trace"))
    expect(check, PASS, trace=facts(WHOLE), losses=lost("samples"))


@EVERY_CHECK
def test_a_flavour_that_nobody_knows_decides_nothing(check: TraceCheck) -> None:
    text = text_of(WHOLE).partition(b"\n")[2]  # without the header that names it
    expect(check, INCONCLUSIVE, "no tracepoint, field or symbol", trace=read_trace([text], 2))
    expect(check, INCONCLUSIVE, trace=replace(facts(WHOLE), flavour=None, reasons=()))


@EVERY_CHECK
def test_a_step_that_the_trace_does_not_have_is_named_with_those_it_has(check: TraceCheck) -> None:
    wanted = check.model_copy(update={"during": "calls:2"})
    expect(wanted, INCONCLUSIVE, "no step 'calls:2'; it has calls:1", trace=facts(WHOLE))
    expect(wanted, INCONCLUSIVE, "it has none", trace=facts(start(0)))


@EVERY_CHECK
def test_what_a_step_that_never_ended_lacks_may_only_not_have_happened_yet(check: TraceCheck) -> None:
    # An SVSM that panics ends its trace, and leaves the step open.
    trace = facts([*start(0), mark("calls:9", "begin"), *call(0)])
    expect(check.model_copy(update={"during": "calls:9"}), INCONCLUSIVE, "began and never ended", trace=trace)
    expect(check, PASS, trace=trace)
