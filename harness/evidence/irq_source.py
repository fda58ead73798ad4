"""Find the vectors of one of the guest's interrupt sources in a trace, by what both sides counted.

``/proc/interrupts`` counts by source and CPU and names no vector; the trace has vectors and no source. A vector belongs
to one source on one CPU (Linux arch/x86/kernel/apic/vector.c), so a source that grew by n on a CPU must have a vector
that was delivered n times there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from harness.evidence.irq import Conservation, IrqFacts, IrqSource

__all__ = ["SourceVectors", "find_vectors"]


@dataclass(frozen=True, slots=True)
class SourceVectors:
    """Hold the vectors that explain a source's counts, and for the CPUs that none explains, what was delivered there.

    ``vectors`` maps each CPU to its vector, ``unexplained`` each other CPU to the counts by vector.
    """

    vectors: Mapping[int, int]
    unexplained: Mapping[int, Mapping[int, int]]

    def conservation(self, irqs: IrqFacts, source: IrqSource, step: str | None) -> tuple[Conservation, ...]:
        """Add up each of the vectors on its CPU."""
        return tuple(
            irqs.conservation(vector=vector, vcpu=cpu, source=source, step=step)
            for cpu, vector in sorted(self.vectors.items())
        )


def find_vectors(
    irqs: IrqFacts, source: IrqSource, guest: Mapping[int, int], step: str | None, vector: int | None, gsi: int | None
) -> SourceVectors:
    """Explain ``guest``, the growth by CPU, by what ``source`` delivered during ``step`` (None: the whole trace).

    ``vector`` and ``gsi`` narrow the search where they are known; None leaves it open. Of several vectors that fit, the
    lowest is taken.
    """
    raised = {raise_.vector for raise_ in irqs.raises if gsi in (None, raise_.gsi)}
    delivered = Counter(
        (delivery.vcpu, delivery.vector)
        for delivery in irqs.select(vector=vector, source=source, step=step)
        if delivery.vector in raised
    )
    vectors: dict[int, int] = {}
    unexplained: dict[int, Mapping[int, int]] = {}
    for cpu, count in guest.items():
        here = {vector: found for (vcpu, vector), found in delivered.items() if vcpu == cpu}
        fitting = sorted(vector for vector, found in here.items() if found == count)
        if fitting:
            vectors[cpu] = fitting[0]
        else:
            unexplained[cpu] = here
    return SourceVectors(vectors, unexplained)
