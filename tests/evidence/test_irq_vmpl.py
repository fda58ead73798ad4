from __future__ import annotations

from trace_lines import entry, msr, msr_exit, nae, records

from harness.evidence.flavour import Flavour, rules_of
from harness.evidence.irq import Basis
from harness.evidence.irq_vmpl import VmplGuess


def test_the_next_entry_settles_all_that_wait_on_its_vcpu() -> None:
    guess = VmplGuess(rules_of(Flavour.ROY), 2)
    guess.injected(0, 10)
    guess.injected(1, 11)
    for record in records([entry(0, 2), entry(0, 0)]):
        guess.take(record)
    assert guess.found == {10: (2, Basis.INFERRED)}
    guess.finish()
    assert guess.found[11] == (None, Basis.UNKNOWN)


def test_requests_tell_who_ran_and_the_end_keeps_the_last() -> None:
    guess = VmplGuess(rules_of(Flavour.PLANES_V1), 1)
    first, answer, second = records([msr(0, 1), msr_exit(0), nae(0)])
    guess.take(first)
    guess.take(answer)
    guess.injected(0, 1)
    guess.injected(0, 2)
    guess.take(second)
    guess.injected(0, 3)
    guess.finish()
    assert guess.found == {1: (1, Basis.INFERRED), 2: (1, Basis.INFERRED), 3: (0, Basis.INFERRED)}


def test_one_apic_for_all_vmpls_has_no_answer() -> None:
    guess = VmplGuess(rules_of(Flavour.TOM), 2)
    guess.injected(0, 1)
    assert guess.found == {1: (None, Basis.UNKNOWN)} and "one APIC" in guess.reason
