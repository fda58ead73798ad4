"""What a host knows of a boot, as it is stored."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from harness.evidence.flavour import Flavour
from harness.evidence.host import HostEvidence, KvmSample, Tracing
from harness.evidence.host_log import LogDelta
from harness.evidence.trace_buffer import CpuBuffer, EventCount

TRACING = Tracing(
    events=("kvm:kvm_exit", "sched:sched_switch"),
    missing=("kvm:kvm_rmp_fault",),
    threads=((311, 0), (312, 1)),
    buffer_bytes=8 << 20,
    buffers=(CpuBuffer(0, 0, 0, 0, 0, 5),),
    counts=(EventCount("kvm_exit", ((311, 5),), 0), EventCount("kvm_eoi", ((311, 5),), 1)),
    received_bytes=500,
    origin_s=11990.5,
)
HOST = HostEvidence(
    "lab1", "ssh", "6.12.0", "1be2", Flavour.ROY, ("it prints a switch",), (), TRACING, LogDelta(("x",), 0, 512)
)


def test_what_is_stored_reads_back_as_it_was() -> None:
    stored = TypeAdapter(HostEvidence)
    assert stored.validate_json(stored.dump_json(HOST)) == HOST
    samples = TypeAdapter(tuple[KvmSample, ...])
    taken = (KvmSample("ready", 4.0, {0: {"exits": 9}}, {"pages_4k": 3}),)
    assert samples.validate_json(samples.dump_json(taken)) == taken


def test_names_are_those_of_the_lines_and_an_inexact_count_is_none() -> None:
    assert TRACING.names == {"kvm_exit", "sched_switch"}
    exits = TRACING.count("kvm_exit")
    assert exits is not None and exits.total == 5
    assert TRACING.count("kvm_eoi") is None and TRACING.count("kvm_pio") is None


def test_a_time_of_the_trace_on_the_records_axis() -> None:
    assert TRACING.at_s(11_997_436_693_000) == pytest.approx(6.936693)
