"""Give every bench the same options, the same table, and the same exit status."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.figures import Figure, as_json, as_table

__all__ = ["options_of", "report"]


def options_of(name: str, about: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every bench has; ``about`` is shown as it stands."""
    options = argparse.ArgumentParser(
        prog=f"ci/bench {name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=_positive, default=5, help="pairs to measure (default 5)")
    options.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def report(measure: Callable[[Callable[[str], None]], Sequence[Figure]], given: argparse.Namespace) -> int:
    """Measure with progress on standard error, print the figures, and return 0 if every target was met, else 1."""
    begin_s, load_before = time.monotonic(), os.getloadavg()[0]

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begin_s:6.1f} s] {line}", file=sys.stderr, flush=True)

    figures = measure(say)
    about = {"cpus": os.cpu_count(), "load_before": round(load_before, 2), "runs": given.runs}
    if given.json:
        print(as_json(figures, about | {"took_s": round(time.monotonic() - begin_s, 1)}))
    else:
        print(as_table(figures))
        print()
        # The load before is other people's: the bench had not begun.
        busy = "; other work is running here, so the figures are noisy" if load_before > 0.5 else ""
        print(f"{os.cpu_count()} CPUs, load average before the bench {load_before:.1f}{busy}")
    return 0 if all(figure.met for figure in figures) else 1
