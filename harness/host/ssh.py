"""Be a machine behind SSH as a host: scripts, files and ports, over connections that are known to be its own.

One connection is held by the watch, a script on the far side that owns the run's folder there and takes all of it away
when the connection ends: after a run, after SIGKILL of the harness, after the network went. When the connection breaks,
what runs on it is lost; the next script connects anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.clock import Deadline
from harness.errors import HarnessError, HostError
from harness.host.bulk_port import BulkPort
from harness.host.facts import ask_facts
from harness.host.far_side import called, fed_script, kill_script, live_script, watch_script
from harness.host.heartbeat import show_life
from harness.host.login import Line, Login
from harness.host.protocol import Dialled, Finished, HostFacts, HostKind, HostLost
from harness.host.remote_process import RemoteProcess
from harness.host.ssh_pool import SshPool
from harness.host.ssh_port import SshPort
from harness.host.ssh_process import SshProcess
from harness.host.ssh_words import ssh_words

__all__ = ["SshHost", "open_ssh_host"]

T = TypeVar("T")
_LOGIN_S = 30.0
# The far side waits 3 s for scripts that clean up, and removes what it was given.
_END_S = 10.0
_EXPLAIN_S = 5.0
_NEVER_BEGAN = "it did not begin, as the run's folder there is gone"


@asynccontextmanager
async def open_ssh_host(
    name: str,
    kind: HostKind,
    login: Login,
    deadline: Deadline,
    bulk: BulkPort | None = None,
    last_words: Callable[[], str] = lambda: "",
) -> AsyncIterator[SshHost]:
    """Yield the host that ``login`` leads to; nothing of ours is left on it afterwards. ``bulk`` carries its files.

    ``last_words`` says what is known of a host that is gone; empty: nothing.

    :raise HostError: if it cannot be reached, if its key is not the known one, if it is no Linux.
    """
    host = SshHost(name, kind, login, bulk, last_words)
    try:
        async with deadline.limit():
            await host.connect(deadline)
        yield host
    except TimeoutError as error:
        if host.reached:
            raise
        raise HostError(f"host {name} cannot be reached: no answer in time") from error
    finally:
        await asyncio.shield(host.close())


# The connections since the last break, and the folder that lives with them.
@dataclass
class _Session:
    pool: SshPool
    stack: AsyncExitStack
    folder: str = ""
    placed: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    living: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self.pool.alive and (self.living is None or not self.living.done())


class SshHost:
    """Run scripts on a machine behind SSH; made by :func:`open_ssh_host`."""

    def __init__(
        self, name: str, kind: HostKind, login: Login, bulk: BulkPort | None, last_words: Callable[[], str]
    ) -> None:
        """Take its name in records, how it came about, what connects, what is faster for files, and its epitaph."""
        self._bulk = bulk
        self._last_words = last_words
        self._name = name
        self._kind = kind
        self._login = login
        self._session: _Session | None = None
        self._connecting = asyncio.Lock()
        self._facts: HostFacts | None = None

    @property
    def name(self) -> str:
        """Return its name in the inventory."""
        return self._name

    @property
    def kind(self) -> HostKind:
        """Return how it is reached."""
        return self._kind

    @property
    def reached(self) -> bool:
        """Tell whether it has ever answered."""
        return self._facts is not None

    @property
    def facts(self) -> HostFacts:
        """Return what it said of itself when it was last connected to."""
        assert self._facts is not None  # open_ssh_host
        return self._facts

    async def connect(self, deadline: Deadline) -> None:
        """Connect, make the run's folder, and ask what it is.

        :raise HostError, HostLost: if that fails.
        """
        await self._live_session(deadline)

    async def close(self) -> None:
        """Take everything of ours away from the host, and end the connections."""
        session, self._session = self._session, None
        if session is not None:
            await self._end(session)

    async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
        """Run a script to its end; see :class:`~harness.host.protocol.Host`."""
        session = await self._live_session(deadline)
        return await self._run(session, script, deadline, stdin)

    @asynccontextmanager
    async def open(self, script: str) -> AsyncIterator[SshProcess]:
        """Start a script; see :class:`~harness.host.protocol.Host`."""
        session = await self._live_session(Deadline.after(_LOGIN_S))
        async with self._start(session, live_script(script, session.folder), called(script), live=True) as process:
            yield process

    async def put(self, content: bytes | Path, deadline: Deadline) -> str:
        """Copy a file there; see :class:`~harness.host.protocol.QemuHost`."""
        session = await self._live_session(deadline)
        data = content if isinstance(content, bytes) else await asyncio.to_thread(_read, content)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        placed = session.placed.get(digest)
        if placed is None or (placed.done() and (placed.cancelled() or placed.exception() is not None)):
            path = f"{session.folder}/{digest[:32]}"
            session.placed[digest] = asyncio.create_task(self._place(session, path, data, deadline))
        return await asyncio.shield(session.placed[digest])

    async def folder(self, deadline: Deadline) -> str:
        """Return the run's folder there."""
        return (await self._live_session(deadline)).folder

    @asynccontextmanager
    async def dial(self, port: int) -> AsyncIterator[Dialled]:
        """Lead to a port there, by a connection of its own: what breaks it breaks nothing else."""
        way = SshPort(self._name, self._login, Deadline.after(_LOGIN_S), port)
        try:
            yield way
        finally:
            await asyncio.shield(way.close())

    async def explain(self, lost: HostLost) -> str:
        """Connect once more, and compare the kernel's boot id."""
        before = self.facts
        try:
            async with (deadline := Deadline.after(_EXPLAIN_S)).limit():
                await self._live_session(deadline)
        except (HostError, HostLost, TimeoutError) as error:
            words = self._last_words()
            return f"{lost}; it cannot be reached again: {words or str(error.__cause__ or error) or 'no answer'}"
        if self.facts.boot_id != before.boot_id:
            return f"{lost}; the host was rebooted under us"
        return f"{lost}; the host itself runs on, only the connection broke"

    async def _live_session(self, deadline: Deadline) -> _Session:
        async with self._connecting:
            if self._session is not None and self._session.alive:
                return self._session
            broken, self._session = self._session, None
            if broken is not None:
                await self._end(broken)
            line = await self._log_in(deadline)
            session = _Session(SshPool(line, lambda: self._log_in(Deadline.after(_LOGIN_S))), AsyncExitStack())
            try:
                await self._watch(session, deadline)
                self._facts = await ask_facts(_Bound(self, session), deadline)
            except BaseException:
                await asyncio.shield(self._end(session))
                raise
            self._session = session
            return session

    async def _log_in(self, deadline: Deadline) -> Line:
        task = asyncio.create_task(asyncio.to_thread(self._login, deadline))
        try:
            return await asyncio.shield(task)
        except HostError as error:
            if not self.reached:
                raise
            raise HostLost(self._name, "connecting to it again", error) from error
        except asyncio.CancelledError:
            # The thread cannot be stopped; what it still opens is closed.
            task.add_done_callback(_close_late)
            raise

    # Starts the far side's watch, learns the folder, and lets a task show it that we live.
    async def _watch(self, session: _Session, deadline: Deadline) -> None:
        mute = HostError(f"host {self._name} logs in, but its shell runs nothing")
        command = live_script(watch_script(), None)
        start = self._start(session, command, "watching it", live=True, end_s=_END_S, mute=mute)
        process = await session.stack.enter_async_context(start)
        said = b""
        async with deadline.limit():
            while not said.endswith(b"\n") and (piece := await process.receive()) is not None:
                said += piece[0]
                if piece[1]:
                    raise HostError(f"host {self._name}: no folder can be made: {piece[1].decode(errors='replace')}")
        session.folder = said.decode(errors="replace").strip()
        if not session.folder.startswith("/"):
            raise HostError(f"host {self._name} gave no folder, but {said[:200]!r}")
        # What runs on the connections of a host that has fallen silent then hears that they broke.
        session.living = asyncio.create_task(show_life(process, session.pool.close))

    async def _end(self, session: _Session) -> None:
        if session.living is not None:
            session.living.cancel()
            await asyncio.gather(session.living, return_exceptions=True)
        for task in session.placed.values():
            task.cancel()
        await asyncio.gather(*session.placed.values(), return_exceptions=True)
        with suppress(HostLost):
            await session.stack.aclose()
        await session.pool.close()

    async def _run(self, session: _Session, script: str, deadline: Deadline, stdin: bytes) -> Finished:
        command = fed_script(script, session.folder, len(stdin))
        out, err = bytearray(), bytearray()
        async with (
            deadline.limit(),
            self._start(session, command, called(script), live=False) as process,
            process.fed(stdin),
        ):
            while (piece := await process.receive()) is not None:
                out += piece[0]
                err += piece[1]
            return Finished(await process.status(), bytes(out), bytes(err))

    async def _place(self, session: _Session, path: str, data: bytes, deadline: Deadline) -> str:
        part, whole = shlex.quote(f"{path}.part"), shlex.quote(path)
        if self._bulk is None:
            done = await self._run(session, f"cat >{part} && mv {part} {whole}", deadline, data)
        else:
            done = await self._place_by_port(session, self._bulk, path, data, deadline)
        if done.status != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise HostError(f"host {self._name}: {len(data)} bytes cannot be written into {session.folder}: {said}")
        return path

    async def _place_by_port(
        self, session: _Session, bulk: BulkPort, path: str, data: bytes, deadline: Deadline
    ) -> Finished:  # fmt: skip
        async with bulk.turn, asyncio.TaskGroup() as group:
            sending = group.create_task(bulk.send(data, deadline))
            done = await self._run(session, bulk.script(path, len(data)), deadline, b"")
            if done.status != 0:
                sending.cancel()
        return done

    @asynccontextmanager
    async def _start(
        self,
        session: _Session,
        command: str,
        doing: str,
        *,
        live: bool,
        end_s: float | None = None,
        mute: HarnessError | None = None,
    ) -> AsyncIterator[SshProcess]:
        def lost(cause: BaseException | None) -> HostLost:
            return HostLost(self._name, doing, ssh_words(cause))

        pooled = await session.pool.take()
        begun = asyncio.create_task(self._blocking(lambda: pooled.begin(command), lost))
        try:
            # The host may answer only after the caller has given up.
            with RemoteProcess(await asyncio.shield(begun), lost) as remote:
                process = SshProcess(remote, mute or HostLost(self._name, doing, _NEVER_BEGAN), live=live)
                try:
                    yield process
                finally:
                    await asyncio.shield(process.close(lambda job: self._kill(session, job), end_s))
        finally:
            # Its channel is never closed from here: the far side does when the command has ended, and paramiko answers.
            begun.add_done_callback(pooled.let_go)

    async def _kill(self, session: _Session, job: int) -> None:
        with suppress(HostLost, TimeoutError):
            await self._run(session, kill_script(job), Deadline.after(_END_S), b"")

    async def _blocking(self, work: Callable[[], T], lost: Callable[[BaseException | None], HostLost]) -> T:
        import paramiko

        try:
            return await asyncio.to_thread(work)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise lost(error) from error


# A session that is not the host's yet, for what is asked while it is made.
class _Bound:
    def __init__(self, host: SshHost, session: _Session) -> None:
        self.name, self.kind = host.name, host.kind
        self._host, self._session = host, session

    async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
        return await self._host._run(self._session, script, deadline, stdin)

    @asynccontextmanager
    async def open(self, script: str) -> AsyncIterator[SshProcess]:
        command = live_script(script, self._session.folder)
        async with self._host._start(self._session, command, called(script), live=True) as process:
            yield process


def _close_late(task: asyncio.Task[Line]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror}") from error
