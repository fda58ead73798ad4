from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_trace import Machine, write_chunks

from harness.evidence.ftrace import Decoder, Record
from harness.evidence.integrity import FlawKind, Integrity, TimeUnit
from harness.evidence.trace_events import Eoi, Mark, SetIrq
from harness.evidence.trace_text import KNOWN_EVENTS

GOLDEN = Path(__file__).parent / "golden"


def decode(*chunks: bytes, wanted: frozenset[str] = KNOWN_EVENTS) -> tuple[list[Record], Integrity]:
    decoder = Decoder(wanted)
    return list(decoder.records(chunks)), decoder.integrity()


def adds_up(account: Integrity) -> bool:
    parts = account.comments + account.events + account.lost_lines + account.damaged_lines
    return account.lines == parts and account.events == sum(count for _, count in account.by_name)


@pytest.mark.parametrize(
    ("name", "unit", "events", "first"),
    [
        ("linux-6.18-mono.trace", TimeUnit.SECONDS, 49, (14, 1374593024000, 0, 17145)),
        ("linux-6.18-noirq.trace", TimeUnit.SECONDS, 25, (8, 1374593024000, 0, 17145)),
        ("linux-6.18-tgid.trace", TimeUnit.SECONDS, 25, (14, 1374593024000, 0, 17145)),
        ("linux-6.18-latency.trace", TimeUnit.MICROSECONDS, 25, (20, 96923000, 0, 17145)),
        ("linux-6.18-x86-tsc.trace", TimeUnit.COUNT, 25, (2, 3579744204854, 1, 17194)),
    ],
)  # fmt: skip
def test_what_a_real_kernel_printed(name: str, unit: TimeUnit, events: int, first: tuple[int, int, int, int]) -> None:
    records, account = decode((GOLDEN / name).read_bytes())
    assert account.complete and account.flaws == () and adds_up(account)
    assert (account.unit, account.events, account.decoded) == (unit, events, events)
    assert next(record for record in records if record.event == "kvm_set_irq") == (
        *first,
        "kvm_set_irq",
        SetIrq(0, 0, 0),
    )


@pytest.mark.parametrize(
    ("line", "pid", "cpu", "at"),
    [
        (" qemu-system-x86-17145   [000] .....  1374.540635: kvm_eoi: apicid 1 vector 2", 17145, 0, 1374540635000),
        ("       CPU 0/KVM-2101    [127] d..1.   100.000001: kvm_eoi: apicid 1 vector 2", 2101, 127, 100000001000),
        ("    a-1 [9] b: c-77      [003] d.h1.   100.000001: kvm_eoi: apicid 1 vector 2", 77, 3, 100000001000),
        ("           <...>-17194   [001] ..... 3579627028808: kvm_eoi: apicid 1 vector 2", 17194, 1, 3579627028808),
        ("          <idle>-0       [001] d.h2. 12.000000001: kvm_eoi: apicid 1 vector 2", 0, 1, 12000000001),
        (" qemu-system-x86-17145   (  17140) [000] ..... 3.000001: kvm_eoi: apicid 1 vector 2", 17145, 0, 3000001000),
        (" qemu-system-x86-17145   [000]   1374.540635: kvm_eoi: apicid 1 vector 2", 17145, 0, 1374540635000),
        ("CPU 0/KVM-2101  [001]  1374.540635: kvm_eoi:              apicid 1 vector 2", 2101, 1, 1374540635000),
        ("qemu-sys-17145     0d..1. 96923us!: kvm_eoi: apicid 1 vector 2", 17145, 0, 96923000),
        ("CPU-10000   [000] d....     0.000100: kvm_eoi: apicid 1 vector 2 seq=0:0", 10000, 0, 100000),
        ("CPU-10000   [000] d....     0.000100: kvm_eoi: seq=0:0 apicid 1 vector 2", 10000, 0, 100000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_form_of_a_line(line: str, pid: int, cpu: int, at: int, end: str) -> None:
    records, account = decode((line + end).encode())
    assert records == [Record(1, at, cpu, pid, "kvm_eoi", Eoi(1, 2))]
    assert adds_up(account)


# Where the second line begins.
SECOND = 79
LINE = "       CPU 0/KVM-2101    [00{cpu}] d..1.   100.{us:06d}: kvm_eoi: apicid {cpu} vector {vector}\n"


def line(us: int, cpu: int = 0, vector: int = 49) -> bytes:
    return LINE.format(us=us, cpu=cpu, vector=vector).encode()


def numbered(us: int, number: int, vcpu: int = 0) -> bytes:
    return line(us, vcpu).rstrip() + f" seq={vcpu}:{number}\n".encode()


END = b"CPU-10000 [000] d....   101.000000: vmpl_model_trace_end: lines=%d seq=0:%d\n"


@pytest.mark.parametrize(
    ("kind", "chunks", "at", "lost"),
    [
        (FlawKind.NOISE, [line(1), b"\x00\xff\x7f\n", line(2)], (2, SECOND), None),
        (FlawKind.NOISE, [line(1), line(2).replace(b"vector", b"vec\x80or")], (2, SECOND), None),
        (FlawKind.NOT_AN_EVENT, [line(1), b"Kernel panic\n", line(2)], (2, SECOND), None),
        (FlawKind.NOT_AN_EVENT, [line(1), line(2)[:50] + b"\n", line(3)], (2, SECOND), None),
        (FlawKind.UNTERMINATED, [line(1), line(2)[:-1]], (2, SECOND), 0),
        (FlawKind.UNDECODABLE, [line(1), line(2)[:-8] + b"\n"], (2, SECOND), 0),
        (FlawKind.UNDECODABLE, [line(1)[:-1], line(2)], (1, 0), 0),
        (FlawKind.LOST_EVENTS, [line(1), b"CPU:1 [LOST 17 EVENTS]\n", line(2)], (2, SECOND), 17),
        (FlawKind.LOST_EVENTS, [b"CPU:1 [LOST EVENTS]\n"], (1, 0), None),
        (FlawKind.BACKWARDS, [line(5), line(4)], (2, SECOND), 0),
        (FlawKind.OUT_OF_ORDER, [line(5), line(4, cpu=1)], (2, SECOND), 0),
        (
            FlawKind.SEQUENCE_JUMP,
            [numbered(1, 0), numbered(2, 1), numbered(3, 7), END % (3, 8)],
            (3, 2 * SECOND + 16),
            5,
        ),
        (FlawKind.SEQUENCE_JUMP, [numbered(1, 3), END % (1, 4)], (1, 0), 3),
        (FlawKind.SEQUENCE_REPEATS, [numbered(1, 0), numbered(2, 0), END % (2, 1)], (2, SECOND + 8), 0),
        (FlawKind.UNNUMBERED, [numbered(1, 0), line(2), END % (2, 1)], (2, SECOND + 8), 0),
        (FlawKind.NO_END, [numbered(1, 0)], (None, None), None),
        (FlawKind.END_DISAGREES, [numbered(1, 0), END % (2, 1)], (2, None), None),
        (FlawKind.LIMIT, [numbered(1, 0), (END % (1, 1)).replace(b"_end", b"_limit")], (2, None), None),
        (FlawKind.UNFAMILIAR, [line(1).rstrip() + b" plane 2\n"], (1, 0), 0),
    ],
)
def test_damage_is_named_with_its_place(
    kind: FlawKind, chunks: list[bytes], at: tuple[int | None, int | None], lost: int | None
) -> None:
    _, account = decode(*chunks)
    assert account == decode(b"".join(chunks))[1]
    flaw = account.find(kind)
    assert flaw is not None, account.flaws
    assert (flaw.count, (flaw.line, flaw.offset_bytes), flaw.lost) == (1, at, lost)
    assert account.complete == (kind in (FlawKind.OUT_OF_ORDER, FlawKind.UNFAMILIAR))
    assert adds_up(account)


def test_a_good_model_trace_is_complete() -> None:
    records, account = decode((GOLDEN / "model.trace").read_bytes())
    assert account.complete and account.numbered and account.ended
    assert account.header == "vmpl_model flavour=roy guest_vmpl=2 vcpus=1 tsc_khz=1000000"
    assert next(record.fields for record in records) == Mark("svsm_calls", "begin")


def test_events_that_nobody_wants_are_counted_by_name() -> None:
    other = line(2).replace(b"kvm_eoi", b"kvm_new_thing")
    records, account = decode(line(1), other, line(3), wanted=frozenset({"kvm_eoi"}))
    assert len(records) == 2
    assert dict(account.by_name) == {"kvm_eoi": 2, "kvm_new_thing": 1}
    assert account.unknown == (("kvm_new_thing", 1),)
    assert account.complete


def test_damage_of_an_event_that_nobody_wants_costs_nothing() -> None:
    _, account = decode(line(1).replace(b"apicid", b"apic"), wanted=frozenset({"kvm_entry"}))
    assert account.complete


def test_a_timestamp_that_was_cut_does_not_stop_the_rest() -> None:
    cut = line(1).replace(b"100.000001", b"1")
    records, account = decode(cut, line(2))
    assert [record.at for record in records] == [1, 100_000_002_000]
    assert account.unit is TimeUnit.SECONDS


def test_two_cpus_may_have_any_order_but_each_its_own() -> None:
    _, account = decode(line(5), line(3, cpu=1), line(6), line(4, cpu=1))
    assert account.complete
    assert [(flaw.kind, flaw.count) for flaw in account.flaws] == [(FlawKind.OUT_OF_ORDER, 2)]


def test_time_may_gain_a_digit() -> None:
    nine = LINE.format(us=1, cpu=0, vector=1).replace("  100.", " 9999.").encode()
    ten = LINE.format(us=0, cpu=0, vector=1).replace("  100.", "10000.").encode()
    _, account = decode(nine, ten)
    assert account.flaws == ()


def test_chunk_boundaries_change_nothing() -> None:
    data = b"".join(write_chunks(3000, vcpus=3, numbered=True))
    whole = decode(data)
    assert len(whole[0]) == 3000
    rng = random.Random(7)
    pieces = []
    while data:
        size = rng.randrange(1, 5000)
        pieces.append(data[:size])
        data = data[size:]
    assert decode(*pieces) == whole


def test_each_event_of_a_long_trace_is_counted_exactly() -> None:
    machine = Machine(vcpus=4, seed=3)
    source = machine.lines()
    text = "".join(next(source) for _ in range(20_000)).encode()
    records, account = decode(text)
    assert dict(account.by_name) == machine.counts
    assert len(records) == account.decoded == 20_000


def test_noise_without_line_ends_does_not_pile_up() -> None:
    decoder = Decoder(KNOWN_EVENTS)
    for _ in range(64):
        assert decoder.feed(b"\xff" * (1 << 16)) == []
    account = decoder.finish()
    assert account.size_bytes == 64 << 16
    assert account.lines == account.damaged_lines <= 17


_PIECES = st.sampled_from(
    [line(1), line(2, cpu=1), numbered(3, 0), numbered(4, 5), b"CPU:1 [LOST 3 EVENTS]\n", b"\n", b"# tracer: nop\n",
     b"seq=0:1", END % (3, 6), line(1)[:40], line(9)[40:], b"step=", b": kvm_entry: vcpu 0, rip 0x0\n"]
)  # fmt: skip


@given(st.lists(st.one_of(_PIECES, st.binary(max_size=30)), max_size=40))
def test_no_input_raises_and_every_line_is_accounted_for(pieces: list[bytes]) -> None:
    records, account = decode(*pieces)
    data = b"".join(pieces)
    assert adds_up(account)
    assert account.size_bytes == len(data)
    assert account.lines == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    assert len(records) == account.decoded <= account.events
