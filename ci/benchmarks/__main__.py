"""Choose the bench that was named; each is imported only then."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

__all__ = ["BENCHES", "main"]

BENCHES = {
    "boot": "boots beside a bare shell loop and virtme-ng, and --help (minutes)",
    "campaign": "what the harness adds to the boots of a campaign, beside a bare shell loop (minutes)",
    "decoder": "trace lines a second of the decoder (a minute)",
    "recorder": "what the flight recorder costs a boot that goes well (a minute)",
    "trace": "what tracing costs a guest under nested KVM, with --host (minutes)",
    "vmpl": "command to verdict of 1000 SVSM calls in the VMPL model (seconds)",
}


def main(argv: Sequence[str]) -> int:
    """Run ``ci/bench NAME …``; without a name, list the benches."""
    if not argv or argv[0] in ("-h", "--help"):
        print("ci/bench NAME [--help]\n")
        for name, about in BENCHES.items():
            print(f"  {name:<8} {about}")
        return 0
    if argv[0] not in BENCHES:
        print(f"ci/bench: there is no bench {argv[0]}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    status: int = importlib.import_module(f"benchmarks.{argv[0]}").main(argv[1:])
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("ci/bench: interrupted")
