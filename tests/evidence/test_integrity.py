from __future__ import annotations

from harness.evidence.integrity import Flaw, FlawKind, Integrity, TimeUnit


def account(*flaws: Flaw) -> Integrity:
    names = (("kvm_entry", 2), ("kvm_new", 1))
    return Integrity(100, 3, 0, 3, 0, 0, 2, names, names[1:], flaws, TimeUnit.SECONDS, False, False)


def test_a_flaw_that_loses_events_makes_a_trace_incomplete() -> None:
    jump = Flaw(FlawKind.SEQUENCE_JUMP, 2, 7, 400, "vCPU 0: 9 after 3", 5)
    found = account(Flaw(FlawKind.OUT_OF_ORDER, 1, 2, 80, ""), jump)
    assert not found.complete
    assert found.reasons == ("the sequence number jumps (2x, 5 lost, first in line 7 at byte 400): vCPU 0: 9 after 3",)
    assert found.find(FlawKind.SEQUENCE_JUMP) is jump and found.find(FlawKind.NOISE) is None


def test_order_between_cpus_and_new_fields_cost_nothing() -> None:
    found = account(Flaw(FlawKind.OUT_OF_ORDER, 1, 2, 80, ""), Flaw(FlawKind.UNFAMILIAR, 1, 2, 80, ""))
    assert found.complete and found.reasons == ()


def test_events_are_counted_by_name() -> None:
    assert (account().count("kvm_entry"), account().count("absent")) == (2, 0)
