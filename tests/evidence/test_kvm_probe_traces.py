"""A real trace of Linux 6.1 and the report of the KVM probe that ran under it: neither witness knows the other.

golden/kvm-probe-6.1.trace: Debian's 6.1.0-50-amd64 under TCG as the host, nested KVM on it, 2 vCPUs, 5 keys by the
monitor; the plan is ``STEPS`` and ``restarts:2``. It is cut to what lies between the first and the last mark, and lacks
the exits, entries and lines of the serial ports.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.evidence.flavour import Flavour
from harness.evidence.irq import IrqSource
from harness.evidence.ktap import parse_ktap
from harness.evidence.steps import StepIndex
from harness.evidence.subresults import Report
from harness.evidence.trace import TraceFacts, read_trace
from harness.evidence.trace_events import KvmExit
from harness.evidence.trace_events_host import Hypercall, Pio

GOLDEN = Path(__file__).parent / "golden"
TRACE = GOLDEN / "kvm-probe-6.1.trace"
KEPT = ("kvm_hypercall", "kvm_pio", "kvm_exit")
STEPS = ["hypercalls:20", "ports:10:cpu1", "ipis:10", "halts:10:each", "wakes:5", "msis:10:cpu1", "keyboard:10:cpu1"]
CONTROL = 0xF0


def read(trace: bytes) -> TraceFacts:
    return read_trace([trace], 2, Flavour.MAINLINE, keep=KEPT)


@pytest.fixture(scope="module")
def trace() -> TraceFacts:
    return read(TRACE.read_bytes())


@pytest.fixture(scope="module")
def report() -> Report:
    return parse_ktap([(GOLDEN / "kvm-probe-6.1.ktap").read_bytes()])


def test_the_trace_is_whole_and_has_the_steps_of_the_plan(trace: TraceFacts, report: Report) -> None:
    assert trace.integrity.complete and trace.integrity.unknown == (), trace.integrity.reasons
    assert report.complete and not report.failed
    assert [window.step for window in trace.windows] == [result.name[-1] for result in report.subresults]
    assert [window.step for window in trace.windows] == ["boot", *STEPS, "restarts:2"]
    assert all(window.end is not None for window in trace.windows)


@pytest.mark.parametrize("step", STEPS)
def test_both_witnesses_count_the_same_interrupts(trace: TraceFacts, report: Report, step: str) -> None:
    assert trace.irqs is not None
    host = Counter((d.vector, d.vcpu) for d in trace.irqs.select(step=step) if d.vector != CONTROL)
    lines = [line for line in next(r for r in report.subresults if r.name[-1] == step).figures if line.label == "irq"]
    guest = Counter({(line.get("vector"), line.get("cpu")): line.get("count") for line in lines})
    del guest[CONTROL, 0]
    assert host == guest


@pytest.mark.parametrize(
    ("step", "source", "vector", "vcpu", "count"),
    [
        ("ipis:10", IrqSource.IPI, 0x41, 1, 10),
        ("msis:10:cpu1", IrqSource.MSI, 0x51, 1, 10),
        ("keyboard:10:cpu1", IrqSource.GSI, 0x31, 1, 10),
        ("wakes:5", IrqSource.IPI, 0x42, 1, 5),
    ],
)
def test_each_source_is_told_apart_and_nothing_is_lost(
    trace: TraceFacts, step: str, source: IrqSource, vector: int, vcpu: int, count: int
) -> None:
    assert trace.irqs is not None
    found = trace.irqs.conservation(step=step, vector=vector)
    assert found.holds
    assert (found.raised, found.accepted, found.delivered, found.ended, found.local) == (count,) * 4 + (0,)
    assert [d.vcpu for d in trace.irqs.select(step=step, source=source, vector=vector)] == [vcpu] * count


def test_a_restart_is_an_init_and_a_start_up_ipi(trace: TraceFacts) -> None:
    assert trace.irqs is not None
    found = trace.irqs.conservation(step="restarts:2", source=IrqSource.IPI)
    assert (found.raised, found.accepted, found.untraced, found.lost) == (4, 4, 4, 0)
    assert Counter(a.mode for a in trace.irqs.accepts if a.mode in ("INIT", "SIPI")) == {"INIT": 3, "SIPI": 3}


def test_the_marks_are_no_hypercalls_of_the_guest(trace: TraceFacts) -> None:
    assert trace.kept is not None
    calls = [record.fields for record in trace.kept if record.event == "kvm_hypercall"]
    assert Counter(call.nr for call in calls if isinstance(call, Hypercall)) == {42: 40}


def test_exits_of_a_step_are_exact(trace: TraceFacts) -> None:
    assert trace.kept is not None
    index = StepIndex(trace.windows)
    found = Counter(
        (index.step_at(record.at, record.line), record.fields.vcpu, record.fields.reason)
        for record in trace.kept
        if isinstance(record.fields, KvmExit)
    )
    # The exit of the end mark lies in the step, that of the begin mark before it.
    assert (found["hypercalls:20", 0, "hypercall"], found["hypercalls:20", 1, "hypercall"]) == (21, 20)
    assert (found["halts:10:each", 0, "hlt"], found["halts:10:each", 1, "hlt"]) == (10, 10)
    assert found["wakes:5", 1, "hlt"] == 5
    ports = [r for r in trace.kept if isinstance(r.fields, Pio) and index.step_at(r.at, r.line) == "ports:10:cpu1"]
    assert [(r.fields.port, r.fields.val) for r in ports if isinstance(r.fields, Pio)] == [(0xED, n) for n in range(10)]


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ("kvm_msi_set_irq", "local"),
        ("kvm_apic_accept_irq: apicid 1 vec 81", "lost"),
        ("kvm_inj_virq: IRQ 0x51", "merged"),
    ],
)
def test_a_line_that_is_taken_out_is_missed(event: str, number: str) -> None:
    lines = TRACE.read_bytes().splitlines(keepends=True)
    del lines[next(at for at, line in enumerate(lines) if event.encode() in line)]
    facts = read(b"".join(lines)).irqs
    assert facts is not None
    assert getattr(facts.conservation(vector=0x51), number) > 0
