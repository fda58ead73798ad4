"""Whole traces that the VMPL model wrote under QEMU: the plan and the injected fault say what must be counted.

golden/model-roy.trace and model-planes-v1.trace: 2 vCPUs, ``run=calls:3;ipi:4;keyboard:4``. model-spurious.trace:
``fault=switch-spurious:1:12``, which the model says fired 9 times. model-forced.trace: planes-v1 with
``fault=irq-to-vmpl0:1``, so that the first key goes to VMPL0, which KVM then runs unasked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence.divergence import compare_traces
from harness.evidence.flavour import Flavour, KernelFacts, detect, rules_of
from harness.evidence.ftrace import Decoder, Record
from harness.evidence.integrity import Integrity
from harness.evidence.irq import IrqFacts, IrqSource
from harness.evidence.irq_fold import fold_irqs, in_time_order
from harness.evidence.timeline import build_timeline
from harness.evidence.trace_text import KNOWN_EVENTS
from harness.evidence.vmpl import Cause, SwitchFacts
from harness.evidence.vmpl_fold import fold_switches

GOLDEN = Path(__file__).parent / "golden"


def load(name: str, drop_line: int | None = None) -> tuple[list[Record], Integrity, Flavour]:
    lines = (GOLDEN / f"model-{name}.trace").read_bytes().splitlines(keepends=True)
    if drop_line is not None:
        del lines[drop_line]
    decoder = Decoder(KNOWN_EVENTS)
    records = in_time_order(decoder.records(lines))
    account = decoder.integrity()
    flavour = detect(KernelFacts(model_header=account.header)).flavour
    assert flavour is not None
    return records, account, flavour


def facts(name: str) -> tuple[SwitchFacts, IrqFacts]:
    records, account, flavour = load(name)
    assert account.complete and account.unknown == (), account.reasons
    return fold_switches(records, rules_of(flavour)), fold_irqs(records, rules_of(flavour), vcpus=2)


@pytest.mark.parametrize("name", ["roy", "planes-v1"])
def test_a_good_run_counts_what_the_plan_asked_for(name: str) -> None:
    switches, irqs = facts(name)
    for vcpu in (0, 1):
        for to_vmpl in (0, 2):
            found = switches.numbers(vcpu=vcpu, to_vmpl=to_vmpl, step="calls:3")
            assert (found.requested, found.completed, found.refused, found.no_switch) == (3, 3, 0, 0)
    assert switches.by_cause()[Cause.UNREQUESTED] == switches.by_cause()[Cause.IRQ_FORCED] == 0
    assert switches.live_locks == () and switches.notes == irqs.notes == ()
    assert all(start.entered_at is not None for start in switches.ap_starts)
    keys = irqs.conservation(step="keyboard:4", vector=0x31)
    assert keys.holds and (keys.raised, keys.accepted, keys.delivered, keys.ended, keys.local) == (4, 4, 4, 4, 0)
    source = IrqSource.GSI if name == "roy" else IrqSource.MSI
    assert len(irqs.select(step="keyboard:4", source=source)) == 4
    ipis = irqs.conservation(step="ipi:4", source=IrqSource.IPI)
    assert ipis.holds and (ipis.raised, ipis.delivered, ipis.ended) == (4, 4, 4)
    assert set(irqs.by_vmpl()) == {2}


def test_only_roy_prints_the_start_of_an_ap_as_a_switch() -> None:
    assert facts("roy")[0].by_cause()[Cause.AP_START] == 1
    assert facts("planes-v1")[0].by_cause()[Cause.AP_START] == 0
    assert facts("roy")[0].inferred is False and facts("planes-v1")[0].inferred is True


def test_spurious_switches_are_counted_exactly() -> None:
    switches, _ = facts("spurious")
    assert switches.by_cause()[Cause.UNREQUESTED] == 9
    assert switches.numbers(step="calls:3", to_vmpl=0).completed == 3


def test_an_interrupt_of_vmpl0_forces_a_switch_that_nobody_asked_for() -> None:
    switches, irqs = facts("forced")
    assert switches.by_cause()[Cause.IRQ_FORCED] == 1
    assert irqs.by_vmpl(vector=0x31) == {0: 1}
    assert [switch.cause for switch in switches.select(step="keyboard:4")] == [Cause.IRQ_FORCED, Cause.SVSM_RETURN]


@pytest.mark.parametrize("drop_line", [30, 100, 200, 415])
def test_a_lost_line_is_always_seen(drop_line: int) -> None:
    assert not load("roy", drop_line)[1].complete


def test_a_run_equals_itself_and_not_the_one_with_a_fault() -> None:
    good, _, _ = load("roy")
    assert compare_traces(good, good).equal
    assert compare_traces(load("forced")[0], load("planes-v1")[0]).first is not None


def test_the_timeline_has_a_lane_for_each_vcpu() -> None:
    switches, irqs = facts("roy")
    timeline = build_timeline(switches, irqs)
    assert [lane.vcpu for lane in timeline.lanes] == [0, 1]
    assert [span.name for span in timeline.steps] == ["boot", "calls:3", "ipi:4", "keyboard:4"]
    moves = sum(switch.vcpu == 0 for switch in switches.switches)
    assert len(timeline.lanes[0].intervals) == moves + 1
