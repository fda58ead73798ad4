from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence import trace_events as ev
from harness.evidence import trace_events_host as host
from harness.evidence.ftrace import Decoder
from harness.evidence.trace_events import Fields
from harness.evidence.trace_text import KNOWN_EVENTS, decode_text, hexadecimal_fields, split_pairs

GOLDEN = Path(__file__).parent / "golden"

# One entry a line of the golden file, in its order: what each printed number means.
EXPECTED: dict[str, list[Fields]] = {
    "linux-6.12-mainline.trace": [
        ev.KvmEntry(0, 0xFFF0),
        ev.KvmEntry(0, 0xFFFFFFF0, immediate_exit=True),
        ev.KvmExit(0, "vmgexit", 0, 0, 0, 0, 0),
        ev.Vmgexit(0, 0x80000010, 0, 0x1F),
        ev.Vmgexit(0, 0x80000010, 0, 0x1F),
        ev.MsrProtocolEnter(0, 0x16),
        ev.MsrProtocolExit(0, 0x16, 1),
        host.RmpFault(0, 0xFEE00000, 0x1A2B, 0x100000006, 2, 0),
        ev.InjectVirq("IRQ", 0xEC),
        ev.InjectVirq("Soft/INTn", 0x80, reinjected=True),
        ev.InjectException("#PF (0x2)"),
        ev.AcceptIrq(0x1F, 236, "Fixed", "edge"),
        ev.MsiSetIrq(0x1000, 34, "LowPrio", "logical", "level", redirection_hint=True),
        ev.IoapicSetIrq(1, 0xFF, 49, "Fixed", "physical", "edge", masked=True, coalesced=True),
        ev.DelayedEoi(1, 49, "Fixed", "physical", "level"),
        ev.SetIrq(24, 1, -1),
        ev.PicSetIrq(1, 6, "level", masked=True, coalesced=True),
        ev.ApicIpi(0xA, 253, "NMI", "physical", "assert", "edge", "all-but-self"),
        ev.Eoi(0x1F, 236),
        ev.Eoi(0x10, -1),
        ev.AckIrq("IOAPIC", 1),
        host.ApicRegister("write", "APIC_EOI", 0),
        ev.UserspaceExit("KVM_EXIT_IO", 2),
        ev.UserspaceExit("restart", 4),
        host.PageFault(0, 0x1000, 0xFED40000, 0x100000004),
        host.VcpuWakeup("poll", 4023, "valid"),
        host.HaltPoll(0, 10000, "grow", 0),
        host.Msr("write", 0xC0010131, 1 << 63, refused=True),
        host.InhibitChanged("set", 11, 0x800, "DISABLED"),
        host.IrteUpdate("on", 42, 0, 0x18, 0x22, 0x1000),
        host.IncompleteIpi(0, 0x01000000, 0xFD, 1, 255),
        host.UnacceleratedAccess(0, 0xB0, "AVIC_EOI", "trap", "write", 0x31),
        host.GaLog(7, 1),
        host.KickSlowpath(0x100, 0xFD, 3),
        host.DoorbellAvic(1, 10),
    ],
    "linux-7.3-mainline.trace": [
        ev.KvmEntry(1, 0, 0x800000EC, 0),
        ev.KvmEntry(1, 0, 0, 0, immediate_exit=True),
        ev.KvmExit(1, "vmgexit", 0, 0, 0xFF, 0, 0, 0x400),
        host.IrteUpdate("on", 42, 1, 0x18, 0x22),
        ev.UserspaceExit("error", -22),
        host.Hypercall(42, 1, 0, 0, 0xFFFFFFFFFFFFFFFF),
        host.Pio("write", 0xF4, 1, 1, 0x10),
        host.Pio("read", 0x1F0, 2, 256, 0),
        host.Mmio("unsatisfied-read", 4, 0xFEC00000, 0),
    ],
    "roy.trace": [
        ev.KvmEntry(1, 0, vcpu_vmpl=2, current_vmpl=2, target_vmpl=2),
        ev.KvmExit(1, "vmgexit", 0, 0, 0, 0, 0),
        ev.Vmgexit(1, 0x80000018, 0, 0),
        ev.Vmgexit(1, 0x80000018, 0, 0),
        ev.VtlSwitch(1, 2, 0),
        ev.KvmEntry(1, 0, vcpu_vmpl=0, current_vmpl=0, target_vmpl=0),
        ev.KvmExit(1, "vmgexit", 0, 0, 0, 0, 0),
        ev.MsrProtocolEnter(1, 0x2_0000_0016),
        ev.MsrProtocolExit(1, 0x17, 1),
        ev.VtlSwitch(1, 0, 2),
        ev.KvmEntry(1, 0, immediate_exit=True, vcpu_vmpl=2, current_vmpl=2, target_vmpl=2),
        ev.Rdh2("sev_run_vmpl", 1, 2, 10, 0xFFFFFFFF),
    ],
    "planes-6.17.trace": [
        ev.MsiSetIrq(0x1000, 34, "Fixed", "physical", "edge", plane=2),
        ev.AcceptIrq(0xA, 34, "Fixed", "edge", plane=2),
        ev.Eoi(0xA, 34),
    ],
    "model.trace": [
        ev.Mark("svsm_calls", "begin"),
        ev.MsrProtocolEnter(0, 0x2_0000_0016),
        ev.Mark("svsm_calls", "end"),
        ev.TraceEnd(3),
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_flavour_is_decoded_into_the_right_numbers(name: str) -> None:
    decoder = Decoder(KNOWN_EVENTS)
    records = list(decoder.records([(GOLDEN / name).read_bytes()]))
    assert [record.fields for record in records] == EXPECTED[name]
    assert decoder.integrity().flaws == ()


def test_every_known_event_stands_in_a_golden_file() -> None:
    text = b"".join((GOLDEN / name).read_bytes() for name in EXPECTED).decode()
    missing = [event for event in KNOWN_EVENTS if f": {event}: " not in text]
    assert sorted(missing) == ["tracing_mark_write", "vmpl_model_trace_limit"]


def test_a_mark_of_the_host_is_a_mark() -> None:
    for text in ("step=idle begin", "svsm-harness step=idle begin"):
        decoded = decode_text("tracing_mark_write", text)
        assert decoded is not None and decoded.fields == ev.Mark("idle", "begin")


@pytest.mark.parametrize(
    ("event", "text", "fields"),
    [
        (
            "kvm_entry",
            "vcpu 3, rip 0x10, vcpu_vmpl 2, current_vmpl 2, target_vmpl 2, plane 1",
            ev.KvmEntry(3, 16, vcpu_vmpl=2, current_vmpl=2, target_vmpl=2, extra=(("plane", 1),)),
        ),
        ("kvm_entry", "vcpu 3, plane 1, rip 0x10", ev.KvmEntry(3, 16, extra=(("plane", 1),))),
        ("kvm_eoi", "apicid 1f vector 49 vmpl 2", ev.Eoi(0x1F, 49, (("vmpl", 2),))),
        ("kvm_vmgexit_enter", "vcpu 1, vmpl 2, exit_reason 80000018, exit_info1 0, exit_info2 a",
         ev.Vmgexit(1, 0x80000018, 0, 10, (("vmpl", 2),))),
        ("kvm_apic_accept_irq", "apicid a vec 9 (Fixed|edge) vmpl 2",
         ev.AcceptIrq(10, 9, "Fixed", "edge", extra=(("vmpl", 2),))),
    ],
)  # fmt: skip
def test_fields_of_an_unseen_flavour_are_kept(event: str, text: str, fields: Fields) -> None:
    decoded = decode_text(event, text)
    assert decoded is not None
    assert (decoded.fields, decoded.familiar) == (fields, False)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("kvm_entry", ""),
        ("kvm_entry", "vcpu 1, ri"),
        ("kvm_entry", "vcpu 1, rip 0x0, vcpu_vmpl 2, current_vm"),
        ("kvm_vmgexit_msr_protocol_enter", "vcpu 1, ghcb_gpa 00000002000000"),
        ("kvm_vmgexit_enter", "vcpu 1, exit_reason 80000018, exit_info1 0"),
        ("kvm_apic_accept_irq", "apicid 1 vec 49 (Fixed|ed"),
        ("kvm_set_irq", "gsi 1 level 1 source 0        CPU 0/KVM-2101    [000] .....   1.000000: kvm_eoi: apicid 1"),
    ],
)
def test_a_cut_text_is_not_decoded(event: str, text: str) -> None:
    assert decode_text(event, text) is None


@given(st.sampled_from(sorted(KNOWN_EVENTS)), st.integers(0, 200), st.integers(0, 40))
def test_a_cut_makes_at_most_the_last_field_wrong(event: str, keep: int, line: int) -> None:
    texts = [
        text.split(f": {event}: ")[1]
        for name in EXPECTED
        for text in (GOLDEN / name).read_text().splitlines()
        if f": {event}: " in text
    ]
    if not texts:
        return
    text = texts[line % len(texts)]
    whole, cut = decode_text(event, text), decode_text(event, text[:keep])
    assert whole is not None
    if cut is not None:
        # Only the last number or word can be shorter, which nobody can see; what is absent is absent, not wrong.
        pairs = zip(whole.fields, cut.fields, strict=True)
        assert sum(a != b for a, b in pairs if b not in (None, False, "", ())) <= 1


def test_an_unknown_event_keeps_its_text_and_pairs() -> None:
    decoded = decode_text("kvm_new_thing", "vcpu 1 plane 2 addr 0x1f code: -3")
    assert decoded is not None
    assert decoded.fields == ev.RawText(
        "vcpu 1 plane 2 addr 0x1f code: -3", (("vcpu", 1), ("plane", 2), ("addr", 31), ("code", -3))
    )


def test_bare_hexadecimal_needs_the_table() -> None:
    assert "ghcb_gpa" in hexadecimal_fields("kvm_vmgexit_msr_protocol_enter")
    assert split_pairs("ghcb_gpa 1f") == (("ghcb_gpa", "1f"),)
    assert split_pairs("ghcb_gpa 10", frozenset({"ghcb_gpa"})) == (("ghcb_gpa", 16),)
    assert hexadecimal_fields("kvm_new_thing") == frozenset()


@given(st.sampled_from([*sorted(KNOWN_EVENTS), "other"]), st.text(alphabet=st.characters(max_codepoint=126)))
def test_no_text_raises(event: str, text: str) -> None:
    decode_text(event, text)
