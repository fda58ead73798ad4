"""A ring buffer's own figures, as real kernels print them."""

from __future__ import annotations

from harness.evidence.trace_buffer import CpuBuffer, EventCount, advise_buffer, parse_buffers, parse_counts

# Printed by a 6.18 kernel; cpu 1's figures were changed.
STATS = """\
cpu: 1
entries: 3
overrun: 41
commit overrun: 2
bytes: 1024
oldest event ts: 12001.428773
now ts: 12002.461174
dropped events: 1
read events: 6211
cpu: 0
entries: 0
overrun: 0
commit overrun: 0
bytes: 0
oldest event ts:     0.000000
now ts: 12002.461856
dropped events: 0
read events: 0
"""
# Printed by a 6.1 kernel.
HIST = """\
hist: kvm:kvm_exit
# event histogram
#
# trigger info: hist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048 [active]
#

{ common_pid:        311 } hitcount:       2206
{ common_pid:        312 } hitcount:      28201

Totals:
    Hits: 30407
    Entries: 2
    Dropped: 0
hist: kvm:kvm_hypercall
# event histogram
#
# trigger info: hist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048 [active]
#


Totals:
    Hits: 0
    Entries: 0
    Dropped: 0
"""


def test_the_figures_of_each_cpu() -> None:
    idle, busy = parse_buffers(STATS)
    assert idle == CpuBuffer(0, 0, 0, 0, 0, 0)
    assert busy == CpuBuffer(1, 3, 41, 2, 1, 6211)
    assert (busy.lost, busy.written) == (44, 6258)


def test_a_cpu_whose_figures_are_cut_is_missing() -> None:
    assert [buffer.cpu for buffer in parse_buffers(STATS[: STATS.rindex("dropped")])] == [1]
    assert parse_buffers("") == ()


def test_counts_by_thread_and_of_an_event_that_never_came() -> None:
    exits, calls = parse_counts(HIST)
    assert exits == EventCount("kvm_exit", ((311, 2206), (312, 28201)), 0)
    assert (exits.total, calls.total) == (30407, 0)
    assert parse_counts(HIST.replace("Dropped: 0", "Dropped: 7"))[0].dropped == 7
    assert [count.event for count in parse_counts(HIST[: HIST.rindex("Dropped")])] == ["kvm_exit"]
    named = parse_counts(HIST.replace("common_pid:        311", "common_pid: qemu-system-x86 [        311]"))
    assert named[0].by_thread == exits.by_thread


def test_the_buffer_that_would_have_done_holds_every_event() -> None:
    size = advise_buffer([CpuBuffer(0, 0, 0, 0, 0, 10), CpuBuffer(1, 0, 90_000, 0, 0, 10_000)], {"kvm_exit": 72})
    # 100 000 records of 72 bytes and their heads are 8.4 MiB.
    assert size == 9 << 20
    assert advise_buffer([], {}) == 1 << 20
    assert advise_buffer([CpuBuffer(0, 0, 1, 0, 0, 0)], {"kvm_exit": 72}) == 1 << 20
