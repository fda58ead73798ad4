"""Measure this machine's TSC frequency, for guests that cannot measure it themselves.

An emulated guest's TSC is the host's own. QEMU's microvm has neither HPET nor ACPI PM timer, so Linux calibrates
against the PIT, gives up when the host was busy for a moment ("tsc: Unable to calibrate against PIT", "Marking TSC
unstable") and then hangs at once. Seen in 6 of 7 boots on two loaded cores (QEMU 7.2, Linux 6.1), and in 0 of 6 under
more load with ``tsc_early_khz=`` (Linux admin-guide/kernel-parameters). Machines with a PM timer, such as q35, do not
need it, and KVM tells its guests.

Neither /proc/cpuinfo (the current frequency, not the TSC's) nor CPUID (absent on AMD) can be asked.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable

from harness.clock import monotonic_s

__all__ = ["measure_tsc_khz"]

# rdtsc; shl rdx, 32; or rax, rdx; ret  (AMD64 Architecture Programmer's Manual volume 3)
_READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_SPAN_S = 0.02
# Both clocks are read within this time, or the pair is read again.
_TIGHT_S = 5e-6
_TRIES = 1000


def measure_tsc_khz() -> int | None:
    """Return the TSC frequency in kHz, measured for 20 ms against CLOCK_MONOTONIC (better than 0.1 percent).

    None where it cannot be measured: another architecture, or a policy that forbids code made at run time.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    page.write(_READ_TSC)
    read_tsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    started_s, started = _pair(read_tsc)
    while monotonic_s() < started_s + _SPAN_S:
        pass
    ended_s, ended = _pair(read_tsc)
    return round((ended - started) / (ended_s - started_s) / 1000)


# The tightest of several readings, the first one that is tight enough at best.
def _pair(read_tsc: Callable[[], int]) -> tuple[float, int]:
    best = (float("inf"), 0.0, 0)
    for _ in range(_TRIES):
        before_s = monotonic_s()
        count = read_tsc()
        width_s = monotonic_s() - before_s
        best = min(best, (width_s, before_s + width_s / 2, count))
        if width_s < _TIGHT_S:
            break
    return best[1], best[2]
