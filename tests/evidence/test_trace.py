"""A trace is read into switches and interrupts, or into the reason why not."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.flavour import Flavour
from harness.evidence.trace import read_trace

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
