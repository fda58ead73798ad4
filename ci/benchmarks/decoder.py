"""Measure how many trace lines a second the decoder takes, beside the cheapest loop over the same lines.

    python ci/benchmarks/decoder.py [--lines 5000000] [--trace FILE]

Prints one line a way of using it: nothing decoded, the VMPL and IRQ events decoded, every event decoded, and the facts
about switches and interrupts built as well (they hold one value a switch and interrupt, so they do grow). The ratio is
to ``for line in chunk.split(b"\\n")`` in the same run, so it can be compared between machines. Peak memory is of the
whole process. Exit status 1 if the decoding of VMPL and IRQ events is slower than ``--at-least`` lines a second.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "evidence"))

from synthetic_trace import write_chunks

from harness.evidence.flavour import Flavour, rules_of
from harness.evidence.ftrace import Decoder
from harness.evidence.irq_fold import IRQ_EVENTS, IrqFold
from harness.evidence.trace_text import KNOWN_EVENTS
from harness.evidence.vmpl_fold import SWITCH_EVENTS, SwitchFold

SWITCHES_AND_IRQS = SWITCH_EVENTS | IRQ_EVENTS


def _bare(chunks: Iterable[bytes]) -> int:
    lines = 0
    for chunk in chunks:
        for _ in chunk.split(b"\n"):
            lines += 1
    return lines


def _decode(chunks: Iterable[bytes], wanted: Iterable[str], facts: bool) -> int:
    decoder = Decoder(wanted)
    if facts:
        rules = rules_of(Flavour.ROY)
        switches, irqs = SwitchFold(rules), IrqFold(rules)
        for record in decoder.records(chunks):
            switches.take(record)
            irqs.take(record)
        switches.result()
        irqs.result()
    else:
        for _ in decoder.records(chunks):
            pass
    account = decoder.integrity()
    if not account.complete:
        print("the trace is damaged:", *account.reasons, sep="\n  ", file=sys.stderr)
    return account.lines


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(
        prog="ci/bench decoder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--lines", type=int, default=5_000_000, help="lines to generate (default 5000000)")
    options.add_argument("--trace", type=Path, help="measure this file instead of a generated trace")
    options.add_argument("--at-least", type=float, default=400_000, help="lines a second that must be reached")
    given = options.parse_args(argv)
    # A generated trace is made once and replayed from memory in slices, so that its making is not measured.
    sample = list(_read(given.trace)) if given.trace else list(write_chunks(min(given.lines, 200_000)))
    passes = 1 if given.trace else max(1, given.lines // 200_000)
    speed: dict[str, float] = {}
    runs = {
        "bare loop": None,
        "count only": frozenset[str](),
        "switches and IRQs": SWITCHES_AND_IRQS,
        "every event": KNOWN_EVENTS,
        "facts": SWITCHES_AND_IRQS,
    }
    for name, wanted in runs.items():
        chunks = (chunk for _ in range(passes) for chunk in sample)
        if wanted is not None and passes > 1:
            chunks = _shifted(sample, passes)
        peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        lines = _bare(chunks) if wanted is None else _decode(chunks, wanted, name == "facts")
        taken_s = time.process_time() - started
        speed[name] = lines / taken_s
        ratio = speed["bare loop"] / speed[name]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before
        print(
            f"{name:20} {lines:>10} lines {taken_s:7.2f} s {speed[name]:>12,.0f} lines/s "
            f"{ratio:5.1f} times the bare loop, peak memory +{grown} KiB"
        )
    return 0 if speed["switches and IRQs"] >= given.at_least else 1


# Each pass begins 10,000 s after the one before, so that time does not go backwards where the sample repeats.
def _shifted(sample: list[bytes], passes: int) -> Iterator[bytes]:
    for number in range(passes):
        for chunk in sample:
            yield chunk.replace(b"] d..1.  ", b"] d..1. %d" % (number + 1))
