"""The marks of the KVM probe: a hypercall that spells a step's edge and name."""

from __future__ import annotations

import pytest
from trace_lines import records

from harness.evidence.probe_marks import MARK_HYPERCALL, PROBE_MARK, as_probe_mark
from harness.evidence.steps import windows_from_marks
from harness.evidence.trace_events import Mark
from harness.evidence.trace_events_host import Hypercall


def call(text: bytes, number: int = MARK_HYPERCALL) -> tuple[int, str, str]:
    words = [int.from_bytes(text.ljust(32, b"\0")[at : at + 8], "little") for at in range(0, 32, 8)]
    return 0, "kvm_hypercall", f"nr {number:#x} " + " ".join(f"a{n} {word:#x}" for n, word in enumerate(words))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"bboot", Mark("boot", "begin")),
        (b"eboot", Mark("boot", "end")),
        (b"bhypercalls:1000:cpu1", Mark("hypercalls:1000:cpu1", "begin")),
        (b"ehalts:100:2000:each#2", Mark("halts:100:2000:each#2", "end")),
        (b"b" + b"x" * 31, Mark("x" * 31, "begin")),
    ],
)
def test_a_mark_spells_its_step(text: bytes, expected: Mark) -> None:
    (found,) = map(as_probe_mark, records([call(text)]))
    assert (found.event, found.fields) == (PROBE_MARK, expected)


@pytest.mark.parametrize(
    "event",
    [
        call(b"bboot", number=42),
        call(b"xboot"),
        call(b"b"),
        call(b""),
        call(b"b\xffboot"),
        call(b"bbo\not"),
    ],
)
def test_what_spells_no_mark_stays_a_hypercall(event: tuple[int, str, str]) -> None:
    (found,) = map(as_probe_mark, records([event]))
    assert found.event == "kvm_hypercall"
    assert isinstance(found.fields, Hypercall)


def test_other_events_stay_as_they_are() -> None:
    (record,) = records([(0, "kvm_entry", "vcpu 0, rip 0x0")])
    assert as_probe_mark(record) is record


def test_a_pair_of_marks_is_the_window_of_a_step() -> None:
    marked = map(as_probe_mark, records([call(b"bipis:5"), call(b"ipis", 42), call(b"eipis:5")]))
    (window,), problems = windows_from_marks(marked)
    assert (window.step, window.duration_ns, problems) == ("ipis:5", 2000, ())
