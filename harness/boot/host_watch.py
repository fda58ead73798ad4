"""Watch a guest under KVM from its host: trace, KVM's statistics, the kernel's log; and write all of it down.

Nothing here ends a boot. What cannot be had is a loss, which makes the checks that need it INCONCLUSIVE; only a lost
host is passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path

from harness.boot.hurt_host import note_hurt, read_hurt
from harness.boot.kvm_stats import read_kvm_stats
from harness.checks.base import Check
from harness.classify.host_kernel import how_hurt
from harness.clock import Deadline
from harness.errors import EvidenceLost
from harness.evidence.host import HostEvidence, KvmSample, Tracing
from harness.evidence.host_log import LogDelta
from harness.evidence.records import HOST, Loss
from harness.evidence.trace_buffer import advise_buffer
from harness.host.protocol import Host, HostLost
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost, QmpRefused
from harness.results.files import write_whole
from harness.results.load import host_json, kvm_samples_json
from harness.scenario.setting import Setting
from harness.tracing.host_log import LogMark, mark_log, read_log
from harness.tracing.survey import KVM, HostSurvey, Surveys
from harness.tracing.tracefs import LiveTrace, TraceEnd, TraceLost, record_trace
from harness.units import format_bytes

__all__ = ["HostWatch", "wanted_events", "watch_host"]

# To find out what the host can, and to make the instance: a second at most where nothing is wrong.
_BEGIN_S = 20.0
# A mark is one line to a shell that waits for it.
_MARK_S = 5.0
# When the guest is gone: to read the rest of the buffer. A nested host formats some 20 000 lines a second.
_END_S = 60.0
# For each CPU of the host, and for all of them together where there are few: those have less time to read while the
# guest runs, and a nested boot of Linux fits into it.
_BUFFER_BYTES, _BUFFERS_BYTES = 8 << 20, 64 << 20
# More than harness.evidence.trace analyses.
_LONGEST_TRACE_BYTES = 1 << 30


def wanted_events(setting: Setting) -> tuple[str, ...]:
    """Return the tracepoints (``system:event``) that the checks and the section ``trace`` ask for, sorted."""
    wanted: set[str] = set()
    for check in setting.expect:
        if isinstance(check, Check):
            wanted |= check.trace_events()
    if setting.trace is not None:
        wanted |= {event if ":" in event else f"{KVM}:{event}" for event in setting.trace.events}
    return tuple(sorted(wanted))


@dataclass
class HostWatch:
    """Be what watches one boot; made by :func:`watch_host`. ``losses`` are those of the boot's record."""

    host: Host
    machine: VirtualMachine
    setting: Setting
    folder: Path
    cache: Path
    losses: list[Loss]
    origin_s: float
    survey: HostSurvey | None = None
    samples: list[KvmSample] = field(default_factory=list)
    _log: LogMark | None = None
    _live: LiveTrace | None = None
    _file: BufferedWriter | None = None
    _events: tuple[str, ...] = ()
    _missing: tuple[str, ...] = ()
    _threads: tuple[int, ...] = ()
    _kept_bytes: int = 0
    _unwritten: str = ""

    @property
    def provenance(self) -> dict[str, str]:
        """Return what the record says of the host's KVM."""
        if self.survey is None:
            return {}
        found = self.survey.detection
        return {
            "host kernel": self.survey.release,
            "kvm flavour": f"{found.flavour or 'undecided'}: {'; '.join(found.reasons)}",
        }

    async def begin(self, surveys: Surveys, traced: bool, stack: AsyncExitStack, deadline: Deadline) -> None:
        """Look at the host, and start to trace where a check needs it and ``traced`` allows.

        :raise HostLost: when the host went away.
        """
        deadline = deadline.within(_BEGIN_S)
        wanted = wanted_events(self.setting) if traced else ()
        systems = sorted({event.partition(":")[0] for event in wanted})
        try:
            # The machine stands still meanwhile, and each takes a while on a slow host.
            async with asyncio.TaskGroup() as group:
                group.create_task(self._or_lose("host_log", self._mark_log(deadline)))
                await self._or_lose("trace" if wanted else None, self._survey(surveys, systems, deadline))
                if wanted and self.survey is not None:
                    await self._or_lose("trace", self._trace(self.survey, wanted, stack, deadline))
        except* HostLost as lost:
            raise lost.exceptions[0] from None
        await self.sample(["start"], deadline)

    async def mark(self, step: str, edge: str, deadline: Deadline) -> None:
        """Mark in the trace that a step begins or ends.

        :raise HostLost: when the host went away.
        """
        if self._live is not None and not await self._or_lose(
            "trace", self._live.mark(f"step={step} {edge}", deadline.within(_MARK_S))
        ):
            self._live = None

    async def sample(self, labels: list[str], deadline: Deadline) -> None:
        """Read KVM's statistics; a QEMU that is gone has none any more, which the check says that misses them."""
        try:
            self.samples += await read_kvm_stats(self.machine, labels, deadline)
        except QmpRefused as error:
            if not any(loss.what == "kvm_stats" for loss in self.losses):
                self.losses.append(Loss("kvm_stats", f"{error}; query-stats needs QEMU 7.1"))
        except MonitorLost:
            pass

    async def end(self, name: str) -> None:
        """Collect the trace and the log when QEMU is gone, and write all down; ``name`` is how the boot is called.

        :raise HostLost: when the host went away.
        :raise HostError: when nothing can be written here.
        """
        deadline = Deadline.after(_END_S)
        tracing = await self._end_trace(deadline)
        log = await self._end_log(name, deadline)
        found = self.survey.detection if self.survey is not None else None
        evidence = HostEvidence(
            name=self.host.name,
            kind=self.host.kind,
            release=self.survey.release if self.survey is not None else "",
            boot_id=self._log.boot_id if self._log is not None else "",
            flavour=found.flavour if found is not None else None,
            flavour_reasons=found.reasons if found is not None else ("the host was not surveyed",),
            unfamiliar=self.survey.unfamiliar if self.survey is not None else (),
            tracing=tracing,
            log=log,
        )
        write_whole(self.folder / "host.json", host_json.dump_json(evidence, indent=1))
        write_whole(self.folder / "kvm_stats.json", kvm_samples_json.dump_json(tuple(self.samples)))
        if tracing is not None and self.survey is not None:
            write_whole(self.folder / "trace.formats", self.survey.formats_text.encode())

    async def _or_lose(self, what: str | None, work: Awaitable[None]) -> bool:
        # Tells whether it was done; a loss in nothing is not worth a word.
        try:
            await work
            return True
        except HostLost:
            raise
        except (EvidenceLost, TimeoutError, MonitorLost, QmpRefused) as error:
            if what is not None:
                self.losses.append(Loss(what, str(error) or f"host {self.host.name} did not answer in time"))
            return False

    async def _mark_log(self, deadline: Deadline) -> None:
        self._log = await mark_log(self.host, deadline)
        hurt = read_hurt(self.cache, self._log.boot_id)
        if hurt is not None:
            self.losses.append(Loss(HOST, hurt))

    async def _survey(self, surveys: Surveys, systems: Sequence[str], deadline: Deadline) -> None:
        self.survey = await surveys.of(self.host, systems, deadline)

    async def _trace(
        self, survey: HostSurvey, wanted: tuple[str, ...], stack: AsyncExitStack, deadline: Deadline
    ) -> None:
        obstacle = survey.obstacle()
        if obstacle is not None:
            raise TraceLost(obstacle)
        self._events = tuple(event for event in wanted if event in survey.formats)
        self._missing = tuple(event for event in wanted if event not in survey.formats)
        checks = [check for check in self.setting.expect if isinstance(check, Check)]
        counted = [event for event in self._events if any(event in check.counted_events() for check in checks)]
        self._threads = await self.machine.vcpu_threads(deadline)
        buffer_bytes = self._buffer_bytes
        self._file = stack.enter_context((self.folder / "trace.log").open("wb"))
        self._live = await stack.enter_async_context(
            record_trace(self.host, survey, self._events, counted, self._threads, buffer_bytes, self._take, deadline)
        )

    @property
    def _buffer_bytes(self) -> int:
        asked = self.setting.trace.buffer if self.setting.trace is not None else None
        cpus = self.survey.cpus if self.survey is not None else 1
        return asked or max(_BUFFER_BYTES, _BUFFERS_BYTES // max(1, cpus))

    def _take(self, piece: bytes) -> None:
        # Never raises: the answers behind it on the same channel must be heard.
        if self._unwritten or self._file is None:
            return
        if self._kept_bytes + len(piece) > _LONGEST_TRACE_BYTES:
            self._unwritten = f"it is longer than {format_bytes(_LONGEST_TRACE_BYTES)}: trace fewer events"
            return
        try:
            self._file.write(piece)
            self._kept_bytes += len(piece)
        except OSError as error:
            self._unwritten = f"trace.log could not be written: {error.strerror}"

    async def _end_trace(self, deadline: Deadline) -> Tracing | None:
        live, survey = self._live, self.survey
        if live is None or survey is None:
            return None
        ended = TraceEnd((), ())
        try:
            ended = await live.stop(deadline)
        except TraceLost as error:
            self.losses.append(Loss("trace", str(error)))
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        tracing = Tracing(
            events=self._events,
            missing=self._missing,
            threads=tuple((thread, vcpu) for vcpu, thread in enumerate(self._threads)),
            buffer_bytes=self._buffer_bytes,
            buffers=ended.buffers,
            counts=ended.counts,
            received_bytes=live.received_bytes,
            origin_s=self.origin_s,
        )
        if self._unwritten:
            self.losses.append(Loss("trace", self._unwritten))
        lost = sum(buffer.lost for buffer in ended.buffers)
        if lost:
            enough = advise_buffer(ended.buffers, {event: survey.record_bytes[event] for event in self._events})
            self.losses.append(
                Loss(
                    "trace",
                    f"{lost} events were lost on host {self.host.name}, whose trace buffer of "
                    f"{format_bytes(self._buffer_bytes)} a CPU was too small; trace.buffer: {format_bytes(enough)} "
                    "would have held all",
                )
            )
        elif len(ended.buffers) < survey.cpus:
            why = f"the host told of {len(ended.buffers)} of its {survey.cpus} buffers whether they lost events"
            self.losses.append(Loss("trace", why))
        return tracing

    async def _end_log(self, name: str, deadline: Deadline) -> LogDelta | None:
        since = self._log
        if since is None:
            return None
        deltas: list[LogDelta] = []

        async def read() -> None:
            deltas.append(await read_log(self.host, since, deadline))

        if not await self._or_lose("host_log", read()):
            return None
        delta = deltas[0]
        write_whole(self.folder / "host.log", "".join(f"{line}\n" for line in delta.lines).encode())
        hurt = how_hurt(delta)
        if hurt is not None:
            note_hurt(self.cache, self.host.name, since.boot_id, hurt, name)
        return delta


@asynccontextmanager
async def watch_host(
    host: Host,
    machine: VirtualMachine,
    setting: Setting,
    folder: Path,
    cache: Path,
    losses: list[Loss],
    offset_s: float | None,
    surveys: Surveys,
    deadline: Deadline,
) -> AsyncIterator[HostWatch]:
    """Watch the stopped machine from its host until the body ends; :meth:`HostWatch.end` must come before that.

    ``offset_s`` is how far the host's CLOCK_MONOTONIC is ahead of ours, None: unknown, taken for 0. A payload with a
    trace of its own is not traced: it plays the host as well.

    :raise HostLost: when the host went away.
    """
    watch = HostWatch(host, machine, setting, folder, cache, losses, machine.started_s + (offset_s or 0.0))
    own = setting.payload is not None and setting.payload.trace != "none"
    async with AsyncExitStack() as stack:
        await watch.begin(surveys, not own, stack, deadline)
        yield watch
