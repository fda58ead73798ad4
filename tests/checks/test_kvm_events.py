"""Counting a host's tracepoints: by field, vCPU and step, and what is not known when events were lost."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sample_facts import expect

from checks.host_facts import THREADS, host, line, mark, outs, trace, tracing
from harness.checks.base import Status
from harness.checks.kvm_events import KvmEventsCheck
from harness.evidence.records import Loss
from harness.evidence.trace_buffer import EventCount

# Before the step 5 on vCPU 0; in it 3 on vCPU 0 and 4 on vCPU 1, one of them to another port; 2 by another thread.
TEXT = (
    outs(5, 900)
    + mark(10, "step=write begin")
    + outs(3, 900, first=20)
    + outs(3, 901, first=30)
    + outs(1, 901, port=0x84, first=40)
    + mark(50, "step=write end")
    + outs(2, 555, first=60)
)
COUNTED = EventCount("kvm_pio", ((900, 8), (901, 4), (555, 2)), 0)
PIO = "kvm:kvm_pio"


def judged(
    status: Status, *operands: str, text: str = TEXT, counts: tuple[EventCount, ...] = (COUNTED,), **keys: Any
) -> None:
    facts: dict[str, Any] = {"trace": trace(text, "kvm_pio"), "host": host(tracing(PIO, counts=counts))}
    facts |= {key: keys.pop(key) for key in ("losses", "trace", "host") if key in keys}
    expect(KvmEventsCheck(event="kvm_pio", **keys), status, *operands, **facts)


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        (
            {"count": 14},
            Status.PASS,
            "kvm_pio: 14 (vCPU 0: 8, vCPU 1: 4, other threads: 2; 14 in the whole boot, which",
        ),
        ({"count": 13}, Status.FAIL, "expected 13 (+1)"),
        ({"count": 7, "during": "write"}, Status.PASS, "during write: 7 (vCPU 0: 3, vCPU 1: 4"),
        ({"count": 6, "during": "write", "where": {"port": 0x80}}, Status.PASS, "port=128 during write: 6"),
        ({"count": 1, "where": {"port": 0x84, "access": "write"}}, Status.PASS, ""),
        ({"count": 0, "where": {"access": "read"}}, Status.PASS, "access=read: 0 (none"),
        ({"count": 4, "vcpu": 1}, Status.PASS, "on vCPU 1: 4"),
        ({"count": 4, "vcpu": 0}, Status.FAIL, "on vCPU 0: 8"),
        ({"each_vcpu": 3, "during": "write", "where": {"port": 0x80}}, Status.PASS, ""),
        ({"each_vcpu": 3, "during": "write"}, Status.FAIL, "vCPU 1 has 4"),
        ({"at_least": 15}, Status.FAIL, "at least 15"),
        ({"at_most": 13}, Status.FAIL, "at most 13"),
        ({"at_least": 14, "at_most": 14}, Status.PASS, ""),
        ({"count": 1, "during": "wrote"}, Status.INCONCLUSIVE, "no step 'wrote'; it has write"),
    ],
)
def test_a_whole_trace(keys: dict[str, Any], status: Status, operand: str) -> None:
    judged(status, operand, **keys)


def test_an_event_without_known_fields_is_found_by_its_words() -> None:
    text = line(1, 900, "kvm_rdtsc_like", "tsc offset 0x10 at cpu 3")
    facts = {"trace": trace(text, "kvm_rdtsc_like"), "host": host(tracing("kvm:kvm_rdtsc_like"))}
    for where, count in (({"tsc offset": 16}, 1), ({"offset": 16}, 1), ({"offset": 17}, 0)):
        expect(KvmEventsCheck(event="kvm_rdtsc_like", where=where, count=count), Status.PASS, **facts)


def test_the_two_witnesses_must_agree() -> None:
    fewer = EventCount("kvm_pio", ((900, 13),), 0)
    judged(Status.INCONCLUSIVE, "counted 13, the trace has 14", counts=(fewer,), count=14)
    inexact = EventCount("kvm_pio", ((900, 13),), 2)  # the histogram was full: it is no witness
    judged(Status.PASS, counts=(inexact,), count=14)


LOST = (Loss("trace", "9 events were lost"),)


@pytest.mark.parametrize(
    ("keys", "status", "operand"),
    [
        ({"count": 14}, Status.PASS, "counted in the kernel; 9 events were lost"),
        ({"count": 13}, Status.FAIL, "expected 13"),
        ({"count": 8, "vcpu": 0}, Status.PASS, ""),
        ({"count": 7, "during": "write"}, Status.INCONCLUSIVE, "9 events were lost"),
        ({"count": 13, "where": {"port": 0x80}}, Status.INCONCLUSIVE, "9 events were lost"),
        ({"count": 14, "counts": ()}, Status.INCONCLUSIVE, "9 events were lost"),
    ],
)
def test_what_is_still_known_of_a_trace_with_losses(keys: dict[str, Any], status: Status, operand: str) -> None:
    judged(status, operand, losses=LOST, **keys)


def test_a_damaged_trace_is_no_trace() -> None:
    judged(Status.INCONCLUSIVE, "not whole", text=TEXT + "CPU:1 [LOST 3 EVENTS]\n", counts=(), count=14)


def test_no_trace_no_such_tracepoint_and_an_event_that_was_not_traced() -> None:
    judged(Status.INCONCLUSIVE, "no trace", trace=None, host=None, count=0)
    judged(Status.UNSUPPORTED, "lab1 has no tracepoint kvm_pio", host=host(tracing(missing=(PIO,))), count=0)
    judged(Status.INCONCLUSIVE, "was not traced", host=host(tracing("kvm:kvm_exit")), count=0)


def test_what_it_asks_the_host_for() -> None:
    assert KvmEventsCheck(event="kvm_pio", count=1).trace_events() == {PIO}
    # A payload marks its steps by hypercalls.
    assert KvmEventsCheck(event="kvm_pio", count=1, during="x").trace_events() == {PIO, "kvm:kvm_hypercall"}
    other = KvmEventsCheck(event="sched:sched_switch", at_least=1)
    assert (other.trace_events(), other.kept_events()) == ({"sched:sched_switch"}, {"sched_switch"})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"event": "kvm_pio"}, "any count would pass"),
        ({"event": "kvm_pio", "count": 1, "where": {"prot": 1}}, "no field 'prot'"),
        ({"event": "kvm pio", "count": 1}, "pattern"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        KvmEventsCheck(**keys)


def test_threads_are_those_of_the_sample() -> None:
    assert dict(THREADS) == {900: 0, 901: 1}
