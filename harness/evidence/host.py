"""Hold what the host's kernel knows of one boot: who it was, what it traced and counted, what it said.

Times in the trace are the host's CLOCK_MONOTONIC (``trace_clock=mono``), in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.evidence.flavour import Flavour
from harness.evidence.host_log import LogDelta
from harness.evidence.trace_buffer import CpuBuffer, EventCount

__all__ = ["HostEvidence", "KvmSample", "Tracing"]


@dataclass(frozen=True, slots=True)
class Tracing:
    """Say what was traced and how well; ``events`` are ``system:event``, ``missing`` those that this kernel lacks.

    ``threads`` pairs the host's thread id of each vCPU with its number. ``counts`` are the kernel's own (``hist:``),
    empty where it has none. ``buffer_bytes`` is for each CPU. ``received_bytes`` counts what came of the trace.
    ``origin_s`` is the host's CLOCK_MONOTONIC at the record's time 0.
    """

    events: tuple[str, ...]
    missing: tuple[str, ...]
    threads: tuple[tuple[int, int], ...]
    buffer_bytes: int
    buffers: tuple[CpuBuffer, ...]
    counts: tuple[EventCount, ...]
    received_bytes: int
    origin_s: float

    @property
    def names(self) -> frozenset[str]:
        """Return the events without their systems, as trace lines have them."""
        return frozenset(event.partition(":")[2] for event in self.events)

    def at_s(self, at_ns: int) -> float:
        """Turn a time of the trace into one of the record."""
        return at_ns / 1e9 - self.origin_s

    def count(self, event: str) -> EventCount | None:
        """Return the kernel's count of an event; None if it has none, or could not hold all of it."""
        return next((count for count in self.counts if count.event == event and not count.dropped), None)


@dataclass(frozen=True, slots=True)
class HostEvidence:
    """Hold everything of the host; ``tracing`` and ``log`` are None where there is none, for reasons in the losses.

    ``flavour`` is None where the host's files do not decide it; ``flavour_reasons`` say why, or what decided.
    ``unfamiliar`` lists what this kernel prints that the decoder does not know.
    """

    name: str
    kind: str
    release: str
    boot_id: str
    flavour: Flavour | None
    flavour_reasons: tuple[str, ...]
    unfamiliar: tuple[str, ...]
    tracing: Tracing | None
    log: LogDelta | None


@dataclass(frozen=True, slots=True)
class KvmSample:
    """Hold KVM's binary statistics at one moment; ``label`` as in :class:`~harness.evidence.records.Sample`.

    ``vcpus`` are by vCPU number, ``vm`` the machine's own. Histograms are left out.
    """

    label: str
    at_s: float
    vcpus: Mapping[int, Mapping[str, int]]
    vm: Mapping[str, int]
