"""Each kind of hang from the least that shows it, what stands above what, and what is left undecided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks.model_trace import call, entry, irq, trace

from harness.classify.hang import Hang, decide_hang
from harness.classify.kinds import HangKind, Sure
from harness.classify.outcome import OutcomeKind, decide_outcome
from harness.evidence.records import BootFacts
from harness.evidence.vitals import Pending, Vitals

from .hang_facts import KERNEL, READY, cpu, hung, looks
from .test_hang_trace import CREATE, REFUSED, START, down

STILL = looks((0.0, 0.0))
MOVING = (48.0, 48.5, 49.0, 50.5)
BIOS: dict[str, Any] = {"marks": (KERNEL[0],), "console": b""}
LOCKED = trace([*START, *down(), *REFUSED * 300], ended=False)
UNBORN = trace([*START, *CREATE], ended=False)
PENDING = trace([*START, *irq()[:2]], ended=False)

CASES: list[tuple[str, BootFacts, HangKind, Sure, str]] = [
    ("never told to run", hung(looks((0.0,), run_state="prelaunch", before_s=0.001)), HangKind.NEVER_STARTED,
     Sure.CERTAIN, "never started"),
    ("no CPU time, no word", hung(looks((0.0,), before_s=0.001, console_bytes=0), grown_s=(), marks=(), console=b""),
     HangKind.NEVER_STARTED, Sure.POSSIBLE, "never started"),
    ("paused at once", hung(looks((0.0,), run_state="paused", before_s=0.001, console_bytes=0), **BIOS),
     HangKind.NEVER_STARTED, Sure.CERTAIN, "never started"),
    ("firmware spins", hung(looks((1.0,)), **BIOS), HangKind.FIRMWARE_STUCK, Sure.LIKELY, "firmware stuck"),
    ("firmware spins, and is seen", hung(looks((1.0,), cpus=[cpu(0xFFFFFFF0)]), **BIOS), HangKind.FIRMWARE_STUCK,
     Sure.CERTAIN, "firmware stuck"),
    ("firmware sleeps", hung(looks((0.0,), cpus=[cpu(0xF1234, halted=True, on=False)]), **BIOS),
     HangKind.FIRMWARE_STUCK, Sure.CERTAIN, "firmware stuck"),
    ("a payload that never spoke", hung(looks((1.0,)), **BIOS, debug_exit=True), HangKind.FIRMWARE_STUCK,
     Sure.POSSIBLE, "firmware stuck"),
    ("a vCPU spins", hung(looks((0.0, 0.98))), HangKind.SPIN, Sure.LIKELY, "spinning"),
    ("a vCPU spins on a busy host", hung(looks((0.5,), (0.49,))), HangKind.SPIN, Sure.LIKELY, "spinning"),
    ("a vCPU spins in VMPL0", hung(looks((1.0,)), trace=trace([*START, *down()], ended=False)), HangKind.SPIN,
     Sure.LIKELY, "spinning in VMPL0"),
    ("a vCPU spins in VMPL2", hung(looks((1.0,)), trace=trace(START, ended=False)), HangKind.SPIN,
     Sure.LIKELY, "spinning in VMPL2"),
    ("prints the same for ever", hung(looks((1.0,)), grown_s=MOVING, console=b"a start\n" + b"again\n" * 999),
     HangKind.SPIN, Sure.LIKELY, "spinning"),
    ("asks in vain", hung(looks((1.0,)), trace=LOCKED), HangKind.LIVE_LOCK, Sure.CERTAIN, "live-lock between VMPLs"),
    ("an interrupt was not delivered", hung(STILL, trace=PENDING), HangKind.LOST_WAKEUP, Sure.CERTAIN,
     "idle with an interrupt pending"),
    ("an AP never ran", hung(STILL, trace=UNBORN), HangKind.AP_NEVER_UP, Sure.CERTAIN, "AP never came up"),
    ("QEMU is stopped", hung(looks((0.0,), states="T", main="T", run_state=None)), HangKind.QEMU_BLOCKED,
     Sure.CERTAIN, "blocked in QEMU"),
    ("a vCPU's thread is stopped", hung(looks((0.0,), states="t")), HangKind.QEMU_BLOCKED, Sure.CERTAIN,
     "blocked in QEMU"),
    ("a vCPU's thread waits for a disk", hung(looks((0.0,), states="D")), HangKind.QEMU_BLOCKED, Sure.CERTAIN,
     "blocked in QEMU"),
    ("QEMU stopped the guest", hung(looks((0.0,), run_state="io-error")), HangKind.QEMU_BLOCKED, Sure.CERTAIN,
     "blocked in QEMU"),
    ("the host gives no CPU", hung(looks((0.02,), (0.9,))), HangKind.HOST_STALLED, Sure.CERTAIN, "host stalled"),
    ("we get no CPU either", hung(looks((0.0,), late_s=0.2)), HangKind.HOST_STALLED, Sure.LIKELY, "host stalled"),
    ("SSH is dead", hung(looks((0.004,)), marks=READY), HangKind.SSH_DEAD, Sure.LIKELY, "alive, but SSH dead"),
    ("it prints", hung(looks((0.9,)), grown_s=MOVING), HangKind.SLOW, Sure.LIKELY, "slow but moving"),
    ("it prints, with hardly any CPU", hung(looks((0.05,), (0.9,)), grown_s=MOVING), HangKind.SLOW, Sure.CERTAIN,
     "slow but moving"),
    ("it prints, stopped and let go", hung(looks((0.1,), states="TTTSTT", main="as vCPU"), grown_s=MOVING),
     HangKind.SLOW, Sure.CERTAIN, "slow but moving"),
    ("halted", hung(looks((0.0,), cpus=[cpu(halted=True, on=False)])), HangKind.HALTED, Sure.CERTAIN,
     "halted for good"),
    ("init sleeps", hung(looks((0.004,), cpus=[cpu(halted=True)])), HangKind.IDLE, Sure.LIKELY,
     "idle, nothing pending"),
    ("nothing moves at all", hung(STILL), HangKind.IDLE, Sure.POSSIBLE, "idle, nothing pending"),
    ("not observed", hung(None), HangKind.UNKNOWN, Sure.POSSIBLE, "kind unknown"),
    ("observed once", hung(STILL[:1]), HangKind.UNKNOWN, Sure.POSSIBLE, "kind unknown"),
    ("works half of the time", hung(looks((0.5,))), HangKind.UNKNOWN, Sure.POSSIBLE, "kind unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "kind", "sure", "title"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_each_kind(facts: BootFacts, kind: HangKind, sure: Sure, title: str) -> None:
    hang = decide_hang(facts)
    assert (hang.kind, hang.sure, hang.title) == (kind, sure, title), hang
    assert hang.reasons and all(hang.reasons)
    assert str(hang).startswith(f"{title} ({sure}: ")


def test_every_kind_has_a_case() -> None:
    assert {case[2] for case in CASES} == set(HangKind)


def test_a_vector_in_a_local_apic_is_less_sure_than_the_trace() -> None:
    hang = decide_hang(replace(hung(), vitals=Vitals(STILL, pending=(Pending(1, (0xEC,)),))))
    assert (hang.kind, hang.sure) == (HangKind.LOST_WAKEUP, Sure.LIKELY)
    assert "vector 0xec waits in the local APIC of vCPU 1" in hang.reasons


@pytest.mark.parametrize("reached", [(), KERNEL[:1], READY])
def test_aps_that_never_ran_count_only_while_the_kernel_waits_for_them(reached: Any) -> None:
    threads = looks((1.0, 0.0))
    young = tuple(
        replace(look, threads=tuple(replace(t, cpu_ns=1000) if t.vcpu == 1 else t for t in look.threads))
        for look in threads
    )
    assert decide_hang(hung(young, marks=KERNEL)).kind is HangKind.AP_NEVER_UP
    assert decide_hang(hung(threads, marks=KERNEL)).kind is HangKind.SPIN
    assert decide_hang(hung(young, marks=reached)).kind is not HangKind.AP_NEVER_UP


def test_a_qemu_that_does_not_answer() -> None:
    hang = decide_hang(replace(hung(), vitals=Vitals(looks((0.0,), run_state=None), silence="QEMU did not answer")))
    assert (hang.kind, hang.sure) == (HangKind.QEMU_BLOCKED, Sure.LIKELY)
    assert "it never answered" in hang.reasons[0]


def test_a_stray_line_is_no_progress() -> None:
    assert decide_hang(hung(looks((0.004,)), grown_s=(2.5, 50.0))).kind is HangKind.IDLE


def test_a_clock_that_jumps_back_is_left_out() -> None:
    taken = list(looks((1.0,)))
    taken[2] = replace(taken[2], at_s=3.0)
    assert decide_hang(hung(tuple(taken))).kind is HangKind.SPIN
    backwards = tuple(reversed(looks((1.0,))))
    assert decide_hang(hung(backwards)).kind is HangKind.UNKNOWN


def test_counters_that_jump_back_are_no_use_of_cpu() -> None:
    taken = looks((1.0,))
    swapped = tuple(replace(a, threads=b.threads) for a, b in zip(taken, reversed(taken), strict=True))
    assert decide_hang(hung(swapped)).kind is HangKind.IDLE


@pytest.mark.parametrize("field", ["cpus", "counts", "threads"])
def test_less_evidence_never_breaks_the_answer(field: str) -> None:
    for _, facts, *_ in CASES:
        if facts.vitals is not None:
            bare = tuple(replace(look, **{field: {} if field == "counts" else ()}) for look in facts.vitals.looks)
            assert isinstance(decide_hang(replace(facts, vitals=replace(facts.vitals, looks=bare))), Hang)


def test_the_outcome_carries_it_and_its_signature_names_it() -> None:
    outcome = decide_outcome(hung(looks((0.98,))))
    assert (outcome.kind, outcome.signature) == (OutcomeKind.HANG, "hang: after init, spinning")
    assert outcome.hang is not None and outcome.detail.startswith(str(outcome.hang))
    silent = decide_outcome(hung(looks((1.0,)), marks=(), console=b"", grown_s=()))
    assert silent.signature == "no-output, firmware stuck"
    assert decide_outcome(hung(None)).signature == "hang: after init"
    assert decide_outcome(hung(None, gave_up_s=None, ready_s=4.0)).hang is None


def test_the_signature_holds_no_number_of_one_boot() -> None:
    taken = looks((0.98,))
    later = tuple(replace(look, at_s=look.at_s + 7.3, console_bytes=9) for look in looks((0.91,)))
    assert decide_outcome(hung(taken)).signature == decide_outcome(hung(later)).signature


def test_a_trace_in_which_all_is_well_decides_nothing() -> None:
    well = trace([entry(0, 0), *[event for _ in range(50) for event in call()]])
    assert decide_hang(hung(None, trace=well)).kind is HangKind.UNKNOWN
