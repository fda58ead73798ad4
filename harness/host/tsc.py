"""Measure the frequency of this machine's time stamp counter, which QEMU's emulated x86 CPUs show to their guests.

QEMU target/i386 helper_rdtsc() reads the host's counter (include/qemu/timer.h cpu_get_host_ticks()), so its frequency
is the guest's. A guest with no timer to calibrate against needs to be told.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import time
from functools import cache

__all__ = ["tsc_khz"]

# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_SPAN_S = 0.02


@cache
def tsc_khz() -> int | None:
    """Return the frequency in kHz, rounded to MHz; None if it cannot be measured.

    It cannot on a machine that is no x86-64, or whose policy forbids memory that is both written and executed.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    code.write(_READ_TSC)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    begin_ns, begin_ticks = time.monotonic_ns(), read()
    time.sleep(_SPAN_S)  # the span that is measured, not a wait
    end_ns, end_ticks = time.monotonic_ns(), read()
    mhz = (end_ticks - begin_ticks) * 1e3 / (end_ns - begin_ns)
    return 1000 * int(mhz + 0.5)
