from __future__ import annotations

import pytest

from harness.evidence.flavour import (
    RULES,
    Completion,
    Flavour,
    IrqVmpl,
    KernelFacts,
    detect,
    offered_features,
    rules_of,
)


@pytest.mark.parametrize(
    ("facts", "flavour"),
    [
        (KernelFacts(events=frozenset({"kvm_entry", "kvm_arch_vcpu_ioctl_run_vtl_switch"})), Flavour.ROY),
        (KernelFacts(fields={"kvm_entry": frozenset({"vcpu_id", "vcpu_vmpl"})}), Flavour.ROY),
        (KernelFacts(fields={"kvm_msi_set_irq": frozenset({"address", "data", "plane"})}), Flavour.PLANES_617),
        (KernelFacts(symbols=frozenset({"kvm_vcpu_select_plane"})), Flavour.PLANES_V1),
        # planes-6.17 may have both symbols.
        (KernelFacts(symbols=frozenset({"kvm_vcpu_select_plane", "kvm_request_plane_switch"})), Flavour.PLANES_617),
        (KernelFacts(ghcb_features=0x3), Flavour.MAINLINE),
        (KernelFacts(model_header="vmpl_model flavour=planes-v1 guest_vmpl=2 vcpus=2"), Flavour.PLANES_V1),
        (KernelFacts(ghcb_features=0x23), None),
        (KernelFacts(), None),
        (KernelFacts(model_header="vmpl_model flavour=other"), None),
        (KernelFacts(fields={"kvm_entry": frozenset({"vcpu_vmpl"})}, ghcb_features=0x3), None),
    ],
)
def test_detection(facts: KernelFacts, flavour: Flavour | None) -> None:
    detection = detect(facts)
    assert detection.flavour == flavour
    assert detection.reasons


def test_a_contradiction_names_both_sides() -> None:
    reasons = detect(KernelFacts(fields={"kvm_entry": frozenset({"vcpu_vmpl"})}, ghcb_features=0x3)).reasons
    assert any("roy" in reason for reason in reasons) and any("mainline" in reason for reason in reasons)


def test_every_flavour_has_rules_with_a_source() -> None:
    assert set(RULES) == set(Flavour)
    for flavour in Flavour:
        rules = rules_of(flavour)
        assert rules.flavour is flavour
        assert {source.rule for source in rules.sources} >= {"completion", "msr_answer"}
        for source in rules.sources:
            assert hasattr(rules, source.rule)


def test_only_roy_prints_completed_switches() -> None:
    assert [f for f in Flavour if rules_of(f).completion is Completion.EVENT] == [Flavour.ROY]
    assert [f for f in Flavour if rules_of(f).irq_vmpl is IrqVmpl.FIELD] == [Flavour.PLANES_617]


def test_what_the_host_offered_is_read_from_the_guests_complaint() -> None:
    said = b"Required hypervisor GHCB features not available: present=0x3, required=0x23, missing=0x20\r\n"
    assert detect(KernelFacts(ghcb_features=offered_features(said))).flavour is Flavour.MAINLINE
    assert offered_features(b"Linux version 6.12\n") is None
