"""Reach the guest over SSH, run commands on it, and copy files.

::

    SshError                 (a HarnessError)
    ├── SshUnreachable       no session until the deadline; carries the last cause
    ├── HostKeyMismatch      something else answers on the guest's port
    ├── SshLost              the session broke while it was needed
    └── GuestFileError       the guest cannot read or write a file

paramiko reads the socket in a thread of its own. Where it takes an event, the event wakes our loop; where it only
blocks, the call runs in a worker thread, and closing the channel or the transport ends it.

Hazards of paramiko that shape this file: a command that fills one stream while the other is read blocks for ever
(#1778), so both are drained as data comes; ``recv_exit_status()`` before draining hangs (#448), so it comes last.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.clock import Deadline, monotonic_s
from harness.errors import HarnessError
from harness.guest.secrets import BootSecrets, public_blob

if TYPE_CHECKING:
    import paramiko

    from harness.guest.sampler import Sampler

__all__ = [
    "Completed",
    "GuestFileError",
    "GuestShell",
    "HostKeyMismatch",
    "RemoteProcess",
    "SshError",
    "SshLost",
    "SshUnreachable",
    "connect",
]

_USER = "root"
_OUTPUT_LIMIT_BYTES = 16 << 20
# Between two attempts to connect: a refused attempt costs next to nothing.
_PACE_S = 0.03
# QEMU's user network accepts a connection before the guest listens, and then stays silent while it retransmits its
# SYN ever more rarely. So silence is waited out for a short time only, and a new attempt is a new SYN. The time grows,
# because a guest that listens can also be slow: a fifth longer each time costs at most a fifth of the time so far.
_SILENCE_S, _SILENCE_GROWTH = 0.3, 1.2
# Data handled before other tasks of the loop get a turn.
_SLICE_BYTES = 1 << 20


class SshError(HarnessError):
    """Be the root of what can go wrong between us and the guest's shell."""


class SshUnreachable(SshError):
    """Report that no session came about until the deadline; ``cause`` is the last attempt's failure, or None."""

    def __init__(self, address: str, port: int, attempts: int, cause: BaseException | None) -> None:
        """Take where, how often, and why the last attempt failed."""
        self.attempts = attempts
        self.cause = cause
        why = "no attempt finished" if cause is None else (str(cause) or type(cause).__name__)
        super().__init__(
            f"no SSH session with {address}:{port} after {attempts} attempt{'s' if attempts != 1 else ''}: {why}; "
            "the end of the guest's console says how far it came"
        )


class HostKeyMismatch(SshError):
    """Report that the host key is not the one made for this boot: another guest, or a stranger, has the port."""

    def __init__(self, address: str, port: int) -> None:
        """Take where the wrong key was met."""
        super().__init__(
            f"{address}:{port} showed another host key than this boot's guest has; another machine answers on that port"
        )


class SshLost(SshError):
    """Report that the session ended while ``doing`` was under way: the guest died, rebooted or lost its network."""

    def __init__(self, doing: str, cause: BaseException | None) -> None:
        """Take what was under way, and the transport's reason when it has one."""
        self.doing = doing
        self.cause = cause
        super().__init__(f"the SSH session was lost during {doing}" + (f": {cause}" if cause else ""))


class GuestFileError(SshError):
    """Report a file of the guest that could not be read or written."""

    def __init__(self, path: str, said: str) -> None:
        """Take the guest's path, and what the guest said."""
        self.path = path
        super().__init__(f"{path} in the guest: {said or 'failed without a message'}")


@dataclass(frozen=True, slots=True)
class Completed:
    """Be how one command ended.

    ``status`` is the exit status; None means that there is none, because the deadline came first (``timed_out``) or
    because a signal killed it. ``out`` and ``err`` hold all that came until then, each up to the limit asked for;
    ``truncated`` tells that more came and was dropped.
    """

    command: str
    status: int | None
    out: bytes
    err: bytes
    duration_s: float
    timed_out: bool = False
    truncated: bool = False


@asynccontextmanager
async def connect(address: str, port: int, secrets: BootSecrets, deadline: Deadline) -> AsyncIterator[GuestShell]:
    """Yield a shell on the guest that ``secrets`` was made for; it is closed afterwards, its threads included.

    Attempts repeat until the deadline, for the guest may still be booting.

    :raise SshUnreachable: when the deadline passes, or at once when the guest refuses our key.
    :raise HostKeyMismatch: at once.
    """
    transport = await _reach(address, port, secrets, deadline)
    try:
        yield GuestShell(transport)
    finally:
        await _close(transport)


class GuestShell:
    """Run commands on a guest as root. Make it with :func:`connect`; several commands may run at the same time."""

    def __init__(self, transport: paramiko.Transport) -> None:
        """Take over an authenticated transport."""
        self._transport = transport

    async def run(
        self,
        command: str,
        deadline: Deadline,
        stdin: bytes = b"",
        limit_bytes: int = _OUTPUT_LIMIT_BYTES,
    ) -> Completed:
        """Run ``command`` in the guest's shell and return how it ended, whatever that was.

        At the deadline the channel is closed and what came so far is returned; the command itself gets no signal.

        :raise SshLost: when the session breaks first.
        """
        started_s = monotonic_s()
        out, err = _Bounded(limit_bytes), _Bounded(limit_bytes)
        status, timed_out = None, False
        try:
            async with deadline.limit(), self.process(command) as process:
                async with asyncio.TaskGroup() as group:
                    group.create_task(process.feed(stdin))
                    while (data := await process.receive()) is not None:
                        out.add(data[0])
                        err.add(data[1])
                status = await process.status()
        except TimeoutError:
            timed_out = True
        truncated = out.truncated or err.truncated
        duration_s = monotonic_s() - started_s
        return Completed(command, status, out.content, err.content, duration_s, timed_out, truncated)

    @asynccontextmanager
    async def process(self, command: str) -> AsyncIterator[RemoteProcess]:
        """Yield ``command`` while it runs; leaving closes its channel.

        :raise SshLost: when the session breaks.
        """
        channels: list[paramiko.Channel] = []

        def start() -> None:
            channels.append(self._transport.open_session())
            channels[0].exec_command(command)

        try:
            await self._blocking(start, command)
            with RemoteProcess(channels[0], command) as process:
                yield process
        finally:
            for channel in channels:
                channel.close()

    @asynccontextmanager
    async def sampler(self) -> AsyncIterator[Sampler]:
        """Yield a :class:`~harness.guest.sampler.Sampler`: files read over one open channel, a few ms each."""
        from harness.guest.sampler import open_sampler

        async with open_sampler(self) as sampler:
            yield sampler

    async def upload(self, content: bytes | Path, to: str, deadline: Deadline, mode: int = 0o644) -> None:
        """Write ``content`` (or a local file's) to ``to``, which appears complete or not at all.

        :raise GuestFileError: when the guest cannot write it.
        :raise TimeoutError: at the deadline.
        :raise SshLost: when the session breaks.
        """
        data = content if isinstance(content, bytes) else await asyncio.to_thread(content.read_bytes)
        # cat, for the guest has no sftp server; a name of its own first, so that nobody sees half a file.
        part, target = shlex.quote(f"{to}.part"), shlex.quote(to)
        done = await self.run(f"cat >{part} && chmod {mode:o} {part} && mv -f {part} {target}", deadline, data)
        _expect_success(done, to)

    async def download(self, path: str, deadline: Deadline, limit_bytes: int = 256 << 20) -> bytes:
        """Return the content of the guest's file ``path``.

        :raise GuestFileError: when the guest cannot read it, or it is larger than ``limit_bytes``.
        :raise TimeoutError: at the deadline.
        :raise SshLost: when the session breaks.
        """
        done = await self.run(f"cat <{shlex.quote(path)}", deadline, limit_bytes=limit_bytes)
        _expect_success(done, path)
        if done.truncated:
            raise GuestFileError(path, f"larger than {limit_bytes} bytes")
        return done.out

    async def _blocking(self, work: Callable[[], None], doing: str) -> None:
        import paramiko

        try:
            await asyncio.to_thread(work)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise SshLost(doing, error) from error


class RemoteProcess:
    """Be one running command: feed it, receive from it. Made by :meth:`GuestShell.process`."""

    def __init__(self, channel: paramiko.Channel, command: str) -> None:
        """Take a channel on which ``command`` was started."""
        self._channel = channel
        self._command = command
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._reader: int | None = None

    def __enter__(self) -> RemoteProcess:
        """Begin to watch the channel."""
        # paramiko sets this pipe when data or the end has come.
        self._reader = self._channel.fileno()
        self._loop.add_reader(self._reader, self._wake.set)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to watch the channel."""
        self._stop_watching()

    async def receive(self) -> tuple[bytes, bytes] | None:
        """Return the next (stdout, stderr) bytes, one of them not empty; None at the end of both.

        :raise SshLost: when the session broke.
        """
        while True:
            # Before the buffers are looked at: what comes in between sets it again.
            self._wake.clear()
            ended = self._channel.eof_received or self._channel.closed
            out = self._channel.recv(_SLICE_BYTES) if self._channel.recv_ready() else b""
            err = self._channel.recv_stderr(_SLICE_BYTES) if self._channel.recv_stderr_ready() else b""
            if out or err:
                await asyncio.sleep(0)
                return out, err
            if ended:
                self._stop_watching()
                self._check_alive()
                return None
            await self._wake.wait()

    async def send(self, content: bytes) -> None:
        """Write to the command's standard input; what it no longer reads is dropped.

        :raise SshLost: when the session broke.
        """
        try:
            await asyncio.to_thread(self._channel.sendall, content)
        except OSError:
            self._check_alive()

    async def feed(self, content: bytes) -> None:
        """Write ``content`` to the command's standard input and end that input.

        :raise SshLost: when the session broke.
        """
        if content:
            await self.send(content)
        with suppress(OSError, EOFError):
            self._channel.shutdown_write()

    async def status(self) -> int | None:
        """Return the exit status once :meth:`receive` has returned None; None when a signal ended the command.

        :raise SshLost: when the session breaks first.
        """
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else None
        if status is None:
            status = await asyncio.to_thread(self._channel.recv_exit_status)
        if status == -1:
            self._check_alive()
            return None
        return status

    def _stop_watching(self) -> None:
        if self._reader is not None:
            self._loop.remove_reader(self._reader)
            self._reader = None

    def _check_alive(self) -> None:
        transport = self._channel.get_transport()
        if not transport.is_active() and self._channel.exit_status == -1:
            raise SshLost(self._command, transport.get_exception())


# Keeps the first bytes and counts on.
class _Bounded:
    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self._parts: list[bytes] = []
        self.truncated = False

    def add(self, data: bytes) -> None:
        kept = data[: self._left]
        self.truncated = self.truncated or len(kept) < len(data)
        self._left -= len(kept)
        self._parts.append(kept)

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)


# An event of paramiko's that wakes our loop.
class _LoopEvent(threading.Event):
    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def set(self) -> None:
        super().set()
        # The loop may be gone already when a transport dies late.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._woken.set)

    async def happened(self) -> None:
        await self._woken.wait()


class _NotYet(Exception):
    pass


async def _reach(address: str, port: int, secrets: BootSecrets, deadline: Deadline) -> paramiko.Transport:
    import tenacity

    last: BaseException | None = None
    attempts = 0
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(_NotYet), wait=tenacity.wait_fixed(_PACE_S), reraise=True
    )
    try:
        async with deadline.limit():
            async for attempt in retrying:
                with attempt:
                    attempts += 1
                    try:
                        silence_s = _SILENCE_S * _SILENCE_GROWTH ** (attempts - 1)
                        connection = await _open(address, port, deadline.within(silence_s))
                        return await _session(connection, address, port, secrets, deadline)
                    except _NotYet as error:
                        last = error.__cause__ or error
                        raise
    except TimeoutError as error:
        raise SshUnreachable(address, port, attempts, last) from error
    raise AssertionError("tenacity ends by return or exception")  # pragma: no cover


# A connection on which an SSH server has begun to speak.
async def _open(address: str, port: int, silence: Deadline) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    loop = asyncio.get_running_loop()
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with silence.limit():
            await loop.sock_connect(connection, (address, port))
            readable = asyncio.Event()
            loop.add_reader(connection, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(connection)
        if not connection.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError("the connection was closed before a banner")
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError):
            raise _NotYet from TimeoutError("connected, but no SSH banner came")
        if isinstance(error, OSError):
            raise _NotYet from error
        raise
    return connection


async def _session(
    connection: socket.socket, address: str, port: int, secrets: BootSecrets, deadline: Deadline
) -> paramiko.Transport:
    # Late: the import takes 0.2 s, and most commands of the harness need no SSH.
    import paramiko

    # Without a handler of its own, Python prints paramiko's account of every failed attempt on standard error.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    transport = paramiko.Transport(connection)
    transport.daemon = True
    # The deadline rules alone.
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = deadline.remaining_s + 1
    transport.get_security_options().key_types = ("ssh-ed25519",)
    try:
        negotiated = _LoopEvent()
        transport.start_client(event=negotiated)
        await negotiated.happened()
        if not transport.is_active():
            raise _NotYet from (transport.get_exception() or EOFError("the connection closed during the key exchange"))
        if transport.get_remote_server_key().asbytes() != public_blob(secrets.host_public):
            raise HostKeyMismatch(address, port)
        answered = _LoopEvent()
        transport.auth_publickey(_USER, _user_key(secrets), event=answered)
        await answered.happened()
        if not transport.is_authenticated():
            cause = transport.get_exception()
            if not isinstance(cause, paramiko.AuthenticationException):
                raise _NotYet from (cause or EOFError("the connection closed during the login"))
            raise SshUnreachable(address, port, 1, cause)
    except BaseException:
        await _close(transport)
        raise
    return transport


def _user_key(secrets: BootSecrets) -> paramiko.PKey:
    import io

    import paramiko
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = Ed25519PrivateKey.from_private_bytes(secrets.user_private).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text.decode()))


# In a thread: paramiko waits here for its own. Shielded: a second cancellation must not leave it half done.
async def _close(transport: paramiko.Transport) -> None:
    def close() -> None:
        transport.close()
        transport.sock.close()
        transport.join()

    await asyncio.shield(asyncio.to_thread(close))


def _expect_success(done: Completed, path: str) -> None:
    if done.timed_out:
        raise TimeoutError(f"{path} in the guest: the deadline passed after {done.duration_s:.1f} s")
    if done.status != 0:
        raise GuestFileError(path, done.err.decode(errors="replace").strip())
