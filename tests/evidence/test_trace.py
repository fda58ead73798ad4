"""A trace is read into switches and interrupts, or into the reason why not."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.flavour import Flavour
from harness.evidence.trace import read_trace
from harness.evidence.trace_events_host import Pio

HEADER = b"# vmpl_model flavour=roy guest_vmpl=2 vcpus=1 tsc_khz=2000000 channel=virtio\n"
SWITCH = (
    b"             CPU-10000   [000] d....     0.%06d: kvm_arch_vcpu_ioctl_run_vtl_switch: "
    b"vcpu 0: current_vmpl %d, target vtl %d seq=0:%d\n"
)
END = b"             CPU-10000   [000] d....     0.900000: vmpl_model_trace_end: lines=%d seq=0:%d\n"


def trace(switches: int) -> bytes:
    lines = [SWITCH % (n, 0 if n % 2 == 0 else 2, 2 if n % 2 == 0 else 0, n) for n in range(switches)]
    return HEADER + b"".join(lines) + END % (switches, switches)


def test_the_header_names_the_flavour() -> None:
    facts = read_trace([trace(4)], vcpus=1)
    assert facts.flavour is Flavour.ROY
    assert facts.switches is not None
    assert facts.switches.numbers().completed == 4
    assert facts.integrity.complete


def test_without_a_flavour_nothing_is_derived_and_the_reason_is_said() -> None:
    facts = read_trace([trace(4).removeprefix(HEADER)], vcpus=1)
    assert (facts.flavour, facts.switches, facts.irqs) == (None, None, None)
    assert facts.reasons


def test_a_known_host_needs_no_header() -> None:
    facts = read_trace([trace(4).removeprefix(HEADER)], vcpus=1, flavour=Flavour.ROY)
    assert facts.switches is not None


def test_a_trace_that_is_too_long_is_accounted_for_and_not_analysed() -> None:
    facts = read_trace([trace(100)], vcpus=1, most=10)
    assert facts.integrity.count("kvm_arch_vcpu_ioctl_run_vtl_switch") == 100
    assert facts.switches is None
    assert "more events" in facts.reasons[0]


def test_any_cut_into_chunks_gives_the_same() -> None:
    whole = trace(6)
    for size in (1, 7, 64):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert read_trace(pieces, vcpus=1).switches == read_trace([whole], vcpus=1).switches


def test_the_recorded_traces_of_the_model_are_understood() -> None:
    for path in sorted((Path(__file__).parent / "golden").glob("model*")):
        assert read_trace([path.read_bytes()], vcpus=2).flavour is not None, path


PIO = (
    b"              sh-25682   [000] ...1. 11997.436693: tracing_mark_write: step=write begin\n"
    b" qemu-system-x86-25680   [000] ..... 11997.437714: kvm_pio: pio_write at 0x70 size 1 count 1 val 0x8f \n"
    b"              sh-25682   [000] ...1. 11997.456962: tracing_mark_write: step=write end\n"
)


def test_events_that_are_asked_for_are_kept_with_their_step_also_without_a_flavour() -> None:
    facts = read_trace([PIO], vcpus=1, keep={"kvm_pio"})
    assert facts.kept is not None
    (record,) = facts.kept
    assert (record.fields, record.pid, record.at) == (Pio("write", 0x70, 1, 1, 0x8F), 25680, 11997_437714_000)
    (window,) = facts.windows
    assert (window.step, window.duration_ns) == ("write", 20_269_000)
    assert read_trace([PIO], vcpus=1).kept == ()


def test_too_many_to_keep_is_not_none_to_keep() -> None:
    assert read_trace([PIO], vcpus=1, most=1, keep={"kvm_pio"}).kept is None


def test_threads_name_the_vcpu_of_an_injection() -> None:
    lines = (
        b"             CPU-77      [000] d....     0.000001: kvm_apic_accept_irq: apicid 1 vec 49 (Fixed|edge)\n"
        b"             CPU-77      [000] d....     0.000002: kvm_inj_virq: IRQ 0x31\n"
    )
    facts = read_trace([lines], vcpus=2, flavour=Flavour.MAINLINE, threads={77: 1})
    assert facts.irqs is not None
    assert [delivery.vcpu for delivery in facts.irqs.deliveries] == [1]
    blind = read_trace([lines], vcpus=2, flavour=Flavour.MAINLINE)
    assert blind.irqs is not None and blind.irqs.deliveries == ()
