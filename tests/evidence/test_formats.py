from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.flavour import Flavour, KernelFacts, detect
from harness.evidence.formats import FieldFormat, Printed, parse_formats, unfamiliar

# Printed by a real 6.18 kernel.
REAL = (Path(__file__).parent / "golden" / "linux-6.18-kvm.formats").read_text()


def changed(old: str, new: str) -> str:
    assert old in REAL
    return REAL.replace(old, new)


def test_a_real_kernel_is_read_and_all_familiar() -> None:
    formats = parse_formats(REAL)
    assert len(formats) == 19 and unfamiliar(formats.values()) == ()
    accept = formats["kvm_apic_accept_irq"]
    assert accept.id == 95
    assert accept.field_names == {"apicid", "dm", "tm", "vec"}
    assert accept.fields[0] == FieldFormat("apicid", "__u32", 8, 4, False)
    assert accept.printed[:3] == (
        Printed("apicid", "%x", ("apicid",)),
        Printed("vec", "%u", ("vec",)),
        Printed("", "%s", ("dm",)),
    )


def test_commas_inside_calls_do_not_shift_the_arguments() -> None:
    printed = {p.label: p.fields for p in parse_formats(REAL)["kvm_exit"].printed if p.label}
    assert printed["reason"] == ("isa", "exit_reason")
    assert (printed["rip"], printed["requests"]) == (("guest_rip",), ("requests",))


def test_what_a_new_kernel_prints_is_named() -> None:
    more = changed(
        '"vcpu %u, ghcb_gpa %016llx", REC->vcpu_id, REC->ghcb_gpa', '"vcpu %u, ghcb_gpa %016llx plane %d", 1, 2, 3'
    )
    assert unfamiliar(parse_formats(more).values()) == (
        "kvm_vmgexit_msr_protocol_enter: prints what no known flavour prints (plane)",
    )
    other = changed('"apicid %x vector %d"', '"apic %x gone"')
    assert unfamiliar(parse_formats(other).values()) == ("kvm_eoi: the decoder cannot read 'apic %x gone'",)
    base = changed('"gsi %u level', '"gsi %x level')
    assert unfamiliar(parse_formats(base).values()) == (
        "kvm_set_irq: gsi is printed in hexadecimal, and read as decimal",
    )


def test_planes_617_and_roy_are_familiar_and_detected_by_their_fields() -> None:
    data = "\tfield:__u64 data;\toffset:16;\tsize:8;\tsigned:0;\n"
    planes = changed(data, data + "\tfield:int plane;\toffset:24;\tsize:4;\tsigned:1;\n")
    formats = parse_formats(planes)
    fields = {name: event.field_names for name, event in formats.items()}
    assert detect(KernelFacts(events=frozenset(formats), fields=fields)).flavour is Flavour.PLANES_617
    real = {name: event.field_names for name, event in parse_formats(REAL).items()}
    assert detect(KernelFacts(events=frozenset(real), fields=real)).flavour is None
    roy = changed(
        '"vcpu %u, rip 0x%lx intr_info 0x%08x error_code 0x%08x%s"',
        '"vcpu %u, rip 0x%lx%s, vcpu_vmpl %d, current_vmpl %d, target_vmpl %d"',
    )
    assert unfamiliar(parse_formats(roy).values()) == ()


def test_optional_words_and_the_sign_of_a_base_are_understood() -> None:
    head = "ID: 7\nformat:\n\n"
    pio = (
        "name: kvm_pio\n" + head + 'print fmt: "pio_%s at 0x%x size %d count %d val 0x%x %s", REC->rw ? "write" : '
        '"read", REC->port, REC->size, REC->count, REC->val, REC->count > 1 ? "(...)" : ""\n'
    )
    avic = "name: kvm_avic_kick_vcpu_slowpath\n" + head + 'print fmt: "icrh:icrl=%#08x:%08x, index=%u", 1, 2, 3\n'
    formats = parse_formats(pio + avic)
    assert unfamiliar(formats.values()) == ()
    assert [printed.optional for printed in formats["kvm_pio"].printed] == ["", "", "", "", "", "(...)"]
    odd = parse_formats(pio.replace('"(...)"', '"more"'))
    assert unfamiliar(odd.values()) == ("kvm_pio: prints what no known flavour prints ()",)


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    unfamiliar(parse_formats("name: kvm_eoi\nID: 1\n" + text).values())
    unfamiliar(parse_formats(f'name: kvm_eoi\nprint fmt: "{text}"\n').values())
