"""Never run more guests at once than memory allows, whichever processes start them.

The machine's memory is cut into slices, a lock file each. A boot holds as many locks as its guest needs slices, from
before QEMU starts until it has gone; the kernel frees the locks of a process that dies.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.clock import Deadline, poll
from harness.errors import Unsupported
from harness.host.file_lock import try_lock
from harness.units import format_bytes

__all__ = ["MemoryBudget"]

_SLICE_BYTES = 128 << 20
# What a QEMU process needs beside the guest's memory: translated code, device state, libraries (measured with 7.2 under
# TCG: 160 MiB after a Linux boot).
_QEMU_BYTES = 256 << 20
# The rest belongs to the machine itself and to the page cache that kernels and images are read through.
_SHARE = 0.8
# Nothing announces that another process freed a lock.
_LOOK_EVERY_S = 0.05
_FOREVER_S = 86400.0


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """Hand out slices of this machine's memory; ``folder`` holds the locks and is shared by all processes."""

    folder: Path
    slices: int

    @classmethod
    def of_this_machine(cls, folder: Path) -> MemoryBudget:
        """Size the budget by the machine's memory, or by the control group's limit where that is lower."""
        total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limit = Path("/sys/fs/cgroup/memory.max")
        if limit.is_file() and (text := limit.read_text().strip()).isdigit():
            total_bytes = min(total_bytes, int(text))
        return cls.of_size(folder, total_bytes)

    @classmethod
    def of_size(cls, folder: Path, total_bytes: int) -> MemoryBudget:
        """Size the budget by the memory of the machine that the guests run on, which need not be this one."""
        return cls(folder, max(1, int(total_bytes * _SHARE) // _SLICE_BYTES))

    @asynccontextmanager
    async def reserve(self, guest_bytes: int) -> AsyncIterator[None]:
        """Wait until a guest of this size fits beside all others, and hold its memory while the body runs.

        :raise Unsupported: if it would not fit even alone.
        """
        wanted = -(-(guest_bytes + _QEMU_BYTES) // _SLICE_BYTES)
        if wanted > self.slices:
            raise Unsupported(
                f"the guest needs {format_bytes(guest_bytes)}, the host has "
                f"{format_bytes(self.slices * _SLICE_BYTES)} for guests",
                "a smaller machine.memory",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            with ExitStack() as turn:
                # One at a time collects slices, so that two half-served guests cannot block each other.
                await self._collect(turn, ["turn"], 1)
                await self._collect(held, [f"slice{number}" for number in range(self.slices)], wanted)
            yield

    async def _collect(self, stack: ExitStack, names: list[str], wanted: int) -> None:
        left = list(names)
        async for _ in poll(Deadline.after(_FOREVER_S), _LOOK_EVERY_S):
            for name in tuple(left):
                if wanted and (descriptor := try_lock(self.folder / name)) is not None:
                    stack.callback(os.close, descriptor)
                    left.remove(name)
                    wanted -= 1
            if not wanted:
                return
