"""Record what the host's kernel does for one boot, in a trace instance of its own that ends with us.

Which threads: ``set_event_pid`` gets every thread of QEMU and the kernel's threads for its PIT and its vhost devices.
``kvm_exit`` and whatever else happens in KVM_RUN is raised in vCPU threads only, so those counts are the same as with
the vCPUs alone; but ``kvm_set_irq``, ``kvm_ioapic_set_irq``, ``kvm_msi_set_irq`` and the acceptances behind them are
raised by the thread of the device (main loop, iothread, ``kvm-pit/N``), and would be missed. What KVM does in an
interrupt that hits another thread stays unseen; no SNP guest has such events but by VFIO [INF]. Other guests on the
host have other threads, so they never count.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.clock import Deadline
from harness.errors import EvidenceLost
from harness.evidence.trace_buffer import CpuBuffer, EventCount, parse_buffers, parse_counts
from harness.host.protocol import Host, HostProcess
from harness.tracing.scripts import Recording, hold_script
from harness.tracing.survey import HostSurvey

__all__ = ["LiveTrace", "TraceEnd", "TraceLost", "record_trace"]

# The line that the script writes last (harness.tracing.scripts).
_END_MARK = b": step=trace end\n"
# The longest answer is two figures of each CPU and thread; more than this is no answer.
_ANSWER_BYTES = 4 << 20


class TraceLost(EvidenceLost):
    """State that the host does not trace, or no longer; says what to do where that is known."""


@dataclass(frozen=True, slots=True)
class TraceEnd:
    """Hold the ring buffer's figures and the kernel's counts when the trace had been read to its end."""

    buffers: tuple[CpuBuffer, ...]
    counts: tuple[EventCount, ...]


class LiveTrace:
    """Be a running trace; made by :func:`record_trace`."""

    def __init__(self, host: str, process: HostProcess, token: str, sink: Callable[[bytes], None]) -> None:
        """Take the script, the word that ends its answers, and where the trace goes."""
        self._host = host
        self._process = process
        self._end = f"#{token} "
        self._sink = sink
        self._said = b""
        self._answers: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
        self._whole = asyncio.Event()
        self._last = b""
        self.received_bytes = 0

    async def mark(self, text: str, deadline: Deadline) -> None:
        """Write ``step=NAME begin`` or ``step=NAME end`` into the trace; it is there when this returns.

        :raise TraceLost: if the host does not do so by the deadline.
        """
        await self._process.send(f"mark {text}\n".encode())
        await self.answer(f"mark {text!r}", deadline)

    async def stop(self, deadline: Deadline) -> TraceEnd:
        """Stop tracing, and return when all of the trace has gone to the sink.

        The script stays: a channel that ends while its last data is on the way can take its SSH session along
        (:mod:`harness.host.remote_process`).

        :raise TraceLost: if it does not end by the deadline.
        """
        await self._process.send(b"stop\n")
        said = await self.answer("stop", deadline)
        try:
            async with deadline.limit():
                await self._whole.wait()
        except TimeoutError:
            raise TraceLost(f"the trace of host {self._host} did not come to its end in time") from None
        return TraceEnd(parse_buffers(said), parse_counts(said))

    async def answer(self, doing: str, deadline: Deadline) -> str:
        """Return the lines of the next answer.

        :raise TraceLost: if it is an error, or does not come by the deadline.
        """
        try:
            async with deadline.limit():
                found = await self._answers.get()
        except TimeoutError:
            raise TraceLost(f"the trace of host {self._host} did not answer ({doing})") from None
        if found is None:
            raise TraceLost(f"the trace of host {self._host} ended by itself ({doing}): {self._tail()}")
        said, word = found
        if word != "ok":
            raise TraceLost(f"host {self._host}: {_explain(word.removeprefix('error '))}")
        return said

    async def follow(self) -> None:
        """Hand the trace to the sink and sort out the answers, until the script ends."""
        try:
            while (received := await self._process.receive()) is not None:
                trace, said = received
                if trace:
                    self.received_bytes += len(trace)
                    self._sink(trace)
                    self._last = (self._last + trace)[-len(_END_MARK) :]
                    if self._last == _END_MARK:
                        self._whole.set()
                if said:
                    self._hear(said)
        finally:
            self._answers.put_nowait(None)

    def _hear(self, said: bytes) -> None:
        self._said = (self._said + said)[-_ANSWER_BYTES:]
        lines = self._said.decode(errors="replace").split("\n")
        body: list[str] = []
        for line in lines[:-1]:
            if line.startswith(self._end):
                self._answers.put_nowait(("\n".join([*body, ""]), line.removeprefix(self._end).strip()))
                body = []
            else:
                body.append(line)
        self._said = "\n".join([*body, lines[-1]]).encode()

    def _tail(self) -> str:
        return self._said.decode(errors="replace").strip()[-200:] or "it said nothing"


_WHAT_TO_DO = {
    "no-tracefs": "tracefs is not mounted; there, as root: mount -t tracefs nodev /sys/kernel/tracing",
    "clock": "the kernel refused the trace clock mono",
    "buffer": "the kernel has no memory for the trace buffer; set a smaller trace.buffer (it is taken for each CPU)",
    "pids": "set_event_pid was refused: a vCPU's thread is gone, or the kernel has no such file",
    "on": "the trace could not be switched on",
    "mark": "a mark could not be written into the trace",
}


def _explain(word: str) -> str:
    kind, _, rest = word.partition(" ")
    if kind == "instance":
        # mkdir below instances/: EEXIST, ENOMEM, EPERM, and EBUSY where tracing is locked down.
        return f"no trace instance could be made ({rest or 'no reason given'}); is lockdown on, or memory short?"
    if kind == "hist":
        return f"{rest} cannot be counted by a hist trigger"
    if kind == "event":
        return f"{rest} could not be switched on: another trace instance or a filter holds it"
    return _WHAT_TO_DO.get(kind, word)


@asynccontextmanager
async def record_trace(
    host: Host,
    survey: HostSurvey,
    events: Sequence[str],
    counted: Sequence[str],
    threads: Sequence[int],
    buffer_bytes: int,
    sink: Callable[[bytes], None],
    deadline: Deadline,
) -> AsyncIterator[LiveTrace]:
    """Trace ``events`` (``system:event``) of the guest whose vCPUs are ``threads`` while the body runs.

    Those that are ``counted`` are counted in the kernel as well where it can. ``sink`` gets the text of the trace. When
    the body ends, or the harness does, the instance is removed.

    :raise TraceLost: if the host cannot trace; says why and what to type.
    :raise HostLost: when the host went away.
    """
    obstacle = survey.obstacle()
    if obstacle is not None:
        raise TraceLost(obstacle)
    token = secrets.token_hex(8)
    script = hold_script(
        Recording(
            token, tuple(events), tuple(counted) if survey.hist else (), tuple(threads), max(1, buffer_bytes >> 10)
        )
    )
    async with host.open(script) as process:
        live = LiveTrace(host.name, process, token, sink)
        follower = asyncio.create_task(live.follow())
        try:
            await live.answer("start", deadline)
            yield live
        finally:
            # The script is ended behind this, by the end of its input, and cleans up.
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
