"""Compare a host's CLOCK_MONOTONIC, which stamps its traces, with ours, which stamps everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.clock import Deadline, monotonic_s
from harness.host.protocol import Host, HostKind

__all__ = ["ClockOffset", "measure_offset", "parse_time"]

_PINGS = 4
# /proc/timer_list (root only) begins with "now at N nsecs", which is ktime_get(), CLOCK_MONOTONIC (Linux
# kernel/time/timer_list.c). /proc/uptime has hundredths, and counts suspension too, which a server does not.
_SCRIPT = """# a clock
while read -r _; do
t=
while read -r a b c d; do [ "$a $b" = "now at" ] && { t=$c; break; }; done </proc/timer_list 2>/dev/null
[ -n "$t" ] && echo "$t" || { read -r u _ </proc/uptime; echo "$u"; }
done 2>/dev/null
"""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Hold how far a host's CLOCK_MONOTONIC is ahead of ours, and how far that may be off; None: nobody knows."""

    offset_s: float | None
    uncertainty_s: float | None


async def measure_offset(host: Host, deadline: Deadline) -> ClockOffset:
    """Ask the host for its time a few times; the shortest round trip bounds the answer. This machine's own is 0.

    :raise HostLost: when the host went away.
    """
    if host.kind is HostKind.LOCAL:
        return ClockOffset(0.0, 0.0)
    best = ClockOffset(None, None)
    try:
        async with deadline.limit(), host.open(_SCRIPT) as process:
            for _ in range(_PINGS):
                before_s = monotonic_s()
                await process.send(b"now\n")
                said = b""
                while not said.endswith(b"\n"):
                    piece = await process.receive()
                    if piece is None:
                        return best
                    said += piece[0]
                after_s = monotonic_s()
                there_s, step_s = parse_time(said)
                if there_s is None:
                    return best
                uncertainty_s = (after_s - before_s) / 2 + step_s
                if best.uncertainty_s is None or uncertainty_s < best.uncertainty_s:
                    best = ClockOffset(there_s + step_s / 2 - (before_s + after_s) / 2, uncertainty_s)
    except TimeoutError:
        pass  # what is known until then is true all the same
    return best


def parse_time(said: bytes) -> tuple[float | None, float]:
    """Return the seconds of one answer, None if it is none, and how coarse they are."""
    text = said.strip().decode(errors="replace")
    if re.fullmatch(r"\d+", text):
        return int(text) / 1e9, 0.0
    return (float(text), 0.01) if re.fullmatch(r"\d+\.\d+", text) else (None, 0.0)
