"""Fly with a recorder: look at QEMU once a second, keep the last looks in memory, and write the end of a boot down.

A good boot's recording is thrown away. What is kept is bounded: the looks of half a minute in memory, and on the disk
at most the last 64 KiB of each source.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from harness.boot.vitals import Observer
from harness.clock import Deadline, monotonic_s, poll
from harness.evidence.vitals import Look
from harness.qemu.command import Stream
from harness.results.files import cannot_write

__all__ = ["FLIGHT", "Recorder", "forget", "recording"]

#: The recording's file in a boot's folder.
FLIGHT = "flight.jsonl"
_EVERY_S = 1.0
_LOOKS = 30
_TAIL_BYTES = 64 << 10
_TAIL_S = 30.0
_NEVER_S = 1e9


class Recorder:
    """Record one boot."""

    def __init__(self, observer: Observer) -> None:
        """Take whom to watch."""
        self._observer = observer
        self._looks: deque[Look] = deque(maxlen=_LOOKS)

    @property
    def looks(self) -> tuple[Look, ...]:
        """Return the last looks, oldest first."""
        return tuple(self._looks)

    async def run(self) -> None:
        """Look once a second until cancelled."""
        due_s = monotonic_s()
        async for _ in poll(Deadline.after(_NEVER_S), _EVERY_S):
            # Asked anew each time, or one slow answer would make QEMU look silent from then on.
            self._observer.silence = ""
            self._looks.append(await self._observer.look(max(0.0, monotonic_s() - due_s), Deadline.after(_EVERY_S)))
            due_s = monotonic_s() + _EVERY_S

    def write(self, folder: Path, end_s: float) -> None:
        """Write the last seconds of a boot that ended at ``end_s``: looks, consoles, QMP, and the end of the trace.

        A line each, in the order of time; the trace's, whose clock is another one, come last.

        :raise HostError: if they cannot be written.
        """
        rows: list[tuple[float, dict[str, object]]] = [(look.at_s, {"look": asdict(look)}) for look in self._looks]
        for stream, console in self._observer.machine.consoles.items():
            tail = console.tail(_TAIL_BYTES)
            begin = console.total_bytes - len(tail)
            last = begin
            for chunk in console.chunks:
                if chunk.end_offset > last and chunk.at_s >= end_s - _TAIL_S:
                    text = tail[max(0, last - begin) : chunk.end_offset - begin].decode(errors="replace")
                    rows.append((chunk.at_s, {str(stream): text}))
                last = max(last, chunk.end_offset)
        rows += [(at_s, entry) for at_s, entry in _journal(folder / "qmp.jsonl") if at_s >= end_s - _TAIL_S]
        rows.sort(key=lambda row: row[0])
        lines: list[dict[str, object]] = [{"at_s": round(at_s, 6), **what} for at_s, what in rows]
        lines += [{str(Stream.TRACE): line} for line in _tail(folder / f"{Stream.TRACE}.log").splitlines()[1:]]
        # Not flushed to the disk: of a good boot it is removed at once, and a lost one spoils no verdict.
        try:
            (folder / FLIGHT).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        except OSError as error:
            raise cannot_write(folder / FLIGHT, error) from error


@asynccontextmanager
async def recording(observer: Observer | None) -> AsyncIterator[Recorder | None]:
    """Record while the body runs, and yield the recorder; None records nothing."""
    if observer is None:
        yield None
        return
    recorder = Recorder(observer)
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def forget(folder: Path) -> None:
    """Throw the recording of a good boot away."""
    (folder / FLIGHT).unlink(missing_ok=True)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _journal(path: Path) -> Iterator[tuple[float, dict[str, object]]]:
    for line in _tail(path).splitlines():
        try:
            entry = json.loads(line)
            yield float(entry.pop("at_s")), {"qmp": entry}
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # the first one is cut
