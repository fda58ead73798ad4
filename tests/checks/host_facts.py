"""A boot under KVM whose host was watched, made as a real one is: from the text of a trace."""

from __future__ import annotations

from typing import Any

from harness.evidence.flavour import Flavour
from harness.evidence.host import HostEvidence, KvmSample, Tracing
from harness.evidence.host_log import LogDelta
from harness.evidence.trace import TraceFacts, read_trace
from harness.evidence.trace_buffer import CpuBuffer, EventCount

THREADS = ((900, 0), (901, 1))


def line(number: int, thread: int, event: str, text: str) -> str:
    return (
        f"       CPU x/KVM-{thread:<7d} [000] d....  {100 + number // 1000:5d}.{number % 1000:06d}: {event}: {text}\n"
    )


def mark(number: int, text: str) -> str:
    return line(number, 77, "tracing_mark_write", text)


def outs(count: int, thread: int, port: int = 0x80, first: int = 0) -> str:
    text = f"pio_write at 0x{port:x} size 1 count 1 val 0x1 "
    return "".join(line(first + n, thread, "kvm_pio", text) for n in range(count))


def trace(text: str, *keep: str) -> TraceFacts:
    return read_trace([text.encode()], 2, Flavour.MAINLINE, keep=keep, threads=dict(THREADS))


def tracing(*events: str, counts: tuple[EventCount, ...] = (), missing: tuple[str, ...] = ()) -> Tracing:
    return Tracing(events, missing, THREADS, 8 << 20, (CpuBuffer(0, 0, 0, 0, 0, 9),), counts, 100, 0.0)


def host(traced: Tracing | None = None, log: LogDelta | None = None) -> HostEvidence:
    return HostEvidence("lab1", "ssh", "6.12.0", "1be2", Flavour.MAINLINE, (), (), traced, log)


def stats(label: str, vm: dict[str, int] | None = None, **by_vcpu: Any) -> KvmSample:
    """Make a sample: ``exits=(3, 4)`` are those of vCPU 0 and 1."""
    vcpus = {vcpu: {name: values[vcpu] for name, values in by_vcpu.items()} for vcpu in range(2)}
    return KvmSample(label, 1.0, vcpus, vm or {})
