"""The session is pinned, bounded and clean: against a real SSH server of paramiko that misbehaves on demand."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import paramiko
import pytest
from loopback_ssh import Server, finish, listener, pkey, ssh_server

from harness.clock import Deadline, monotonic_s
from harness.guest.secrets import BootSecrets, make_secrets
from harness.guest.ssh import GuestFileError, HostKeyMismatch, SshLost, SshUnreachable, connect


def ours() -> set[str]:
    return {
        thread.name
        for thread in threading.enumerate()
        if not thread.name.startswith(("server-", "asyncio_", "MainThread", "execnet"))
        # paramiko's timer: cancelled, its thread ends as soon as it runs again.
        and not (isinstance(thread, threading.Timer) and thread.finished.is_set())
    }


def test_a_command_returns_status_output_and_errors() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, command: bytes) -> None:
        channel.sendall(b"out of " + command.splitlines()[-1])
        channel.sendall_stderr(b"err")
        finish(channel, 3)

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell:
            done = await shell.run("hello", Deadline.after(10))
            assert (done.status, done.out, done.err) == (3, b"out of hello", b"err")
            assert (done.timed_out, done.truncated) == (False, False)

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_both_streams_at_once_do_not_block_each_other() -> None:
    secrets, size = make_secrets(), 6 << 20  # three times paramiko's window

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        channel.sendall_stderr(b"e" * size)
        channel.sendall(b"o" * size)
        finish(channel)

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(30)) as shell:
            done = await shell.run("flood", Deadline.after(30))
            assert (done.status, len(done.out), len(done.err)) == (0, size, size)

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_output_is_bounded_and_says_so_while_the_command_runs_to_its_end() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        channel.sendall(b"x" * (5 << 20))
        finish(channel, 7)

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(30)) as shell:
            done = await shell.run("flood", Deadline.after(30), limit_bytes=1000)
            assert (done.status, done.out, done.truncated) == (7, b"x" * 1000, True)

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_an_endless_flood_ends_at_the_deadline_with_bounded_memory() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        while True:
            channel.sendall(b"x" * 65536)

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(30)) as shell:
            started_s = monotonic_s()
            done = await shell.run("flood", Deadline.after(1), limit_bytes=1 << 20)
            assert (done.status, done.timed_out, done.truncated, len(done.out)) == (None, True, True, 1 << 20)
            assert monotonic_s() - started_s < 10

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_a_hung_command_gives_what_it_said_and_the_session_lives_on() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, command: bytes) -> None:
        channel.sendall(b"before")
        if command.endswith(b"hang"):
            while not channel.closed:
                time.sleep(0.01)
        finish(channel)

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell:
            done = await shell.run("hang", Deadline.after(0.5))
            assert (done.status, done.out, done.timed_out) == (None, b"before", True)
            assert (await shell.run("go on", Deadline.after(10))).status == 0

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_an_end_of_output_without_a_status_still_honours_the_deadline() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        channel.shutdown_write()

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell:
            done = await shell.run("closes its output", Deadline.after(0.5))
            assert (done.status, done.timed_out) == (None, True)

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_a_command_without_a_status_was_killed() -> None:
    secrets = make_secrets()

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell:
            done = await shell.run("dies", Deadline.after(10))
            assert (done.status, done.timed_out) == (None, False)

    with ssh_server(secrets, lambda channel, _: channel.close()) as port:
        asyncio.run(scenario(port))


def test_a_session_that_breaks_in_a_command_is_lost() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        channel.sendall(b"half")
        channel.get_transport().sock.close()

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell:
            with pytest.raises(SshLost, match="during die"):
                await shell.run("die", Deadline.after(10))
            with pytest.raises(SshLost, match="during again"):
                await shell.run("again", Deadline.after(10))

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))


def test_another_host_key_is_refused_at_once() -> None:
    secrets = make_secrets()

    async def scenario(port: int) -> None:
        started_s = monotonic_s()
        with pytest.raises(HostKeyMismatch, match=f"127.0.0.1:{port}"):
            async with connect("127.0.0.1", port, secrets, Deadline.after(60)):
                pass
        assert monotonic_s() - started_s < 20

    with ssh_server(make_secrets(), lambda channel, _: None) as port:
        asyncio.run(scenario(port))


def test_a_server_that_refuses_our_key_is_not_asked_again() -> None:
    secrets, stranger = make_secrets(), make_secrets()
    mine = BootSecrets(secrets.host_private, secrets.host_public, stranger.user_private, stranger.user_public)

    async def scenario(port: int) -> None:
        started_s = monotonic_s()
        with pytest.raises(SshUnreachable, match=r"refused our key|Authentication failed"):
            async with connect("127.0.0.1", port, mine, Deadline.after(60)):
                pass
        assert monotonic_s() - started_s < 20

    with ssh_server(secrets, lambda channel, _: None) as port:
        asyncio.run(scenario(port))


@pytest.mark.parametrize(
    ("serve", "cause"),
    [
        (lambda connection: None, "no SSH banner came"),
        (lambda connection: connection.close(), "closed before a banner|reset"),
        (lambda connection: connection.sendall(b"SSH-2.0-half\r\n"), "no attempt finished|no SSH banner"),
        (lambda connection: (connection.sendall(b"HTTP/1.1 400\r\n"), connection.close()), "banner|closed|EOF|reset"),
    ],
    ids=["silent", "closing", "no key exchange", "not SSH"],
)
def test_a_server_that_never_becomes_one_is_unreachable_in_time(
    serve: Callable[[socket.socket], None], cause: str
) -> None:
    async def scenario(port: int) -> None:
        started_s = monotonic_s()
        with pytest.raises(SshUnreachable, match=cause) as caught:
            async with connect("127.0.0.1", port, make_secrets(), Deadline.after(1)):
                pass
        assert caught.value.attempts >= 1
        assert monotonic_s() - started_s < 5

    with listener(serve) as port:
        asyncio.run(scenario(port))
    assert not ours()


def test_nobody_there_is_unreachable_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def scenario() -> None:
        with pytest.raises(SshUnreachable, match=r"after \d+ attempts.*Connect call failed") as caught:
            async with connect("127.0.0.1", port, make_secrets(), Deadline.after(0.5)):
                pass
        assert caught.value.attempts > 3

    asyncio.run(scenario())


def test_a_guest_that_comes_up_late_is_reached() -> None:
    secrets = make_secrets()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    transports = []

    def come_up() -> None:
        listening = socket.create_server(("127.0.0.1", port))
        connection, _ = listening.accept()
        transports.append(paramiko.Transport(connection))
        transports[0].add_server_key(pkey(secrets.host_private))
        transports[0].start_server(server=Server(secrets, lambda channel, _: finish(channel)))
        listening.close()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.3, lambda: threading.Thread(target=come_up, name="server-late", daemon=True).start())
        async with connect("127.0.0.1", port, secrets, Deadline.after(20)) as shell:
            assert (await shell.run("x", Deadline.after(10))).status == 0

    asyncio.run(scenario())
    transports[0].close()
    transports[0].join(5)


@pytest.mark.parametrize("moment", ["connecting", "running", "uploading"])
def test_cancelling_leaves_no_thread_and_no_socket(moment: str) -> None:
    secrets = make_secrets()
    reached = threading.Event()

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        reached.set()
        while not channel.closed:
            time.sleep(0.01)

    def silent(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-slow\r\n")
        reached.set()

    async def work(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(60)) as shell:
            if moment == "uploading":
                await shell.upload(bytes(32 << 20), "/x", Deadline.after(60))
            await shell.run("hang", Deadline.after(60))

    async def scenario(port: int) -> None:
        task = asyncio.create_task(work(port))
        assert await asyncio.to_thread(reached.wait, 20)
        started_s = monotonic_s()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert monotonic_s() - started_s < 5

    serving = listener(silent) if moment == "connecting" else ssh_server(secrets, behave)
    with serving as port:
        asyncio.run(scenario(port))
    assert not ours()


def test_upload_and_download_report_the_guests_words() -> None:
    secrets = make_secrets()

    def behave(channel: paramiko.Channel, _: bytes) -> None:
        channel.sendall_stderr(b"sh: can't create: no space\n")
        finish(channel, 1)

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell:
            with pytest.raises(GuestFileError, match="/a b in the guest: sh: can't create: no space"):
                await shell.upload(b"x" * (4 << 20), "/a b", Deadline.after(10))
            with pytest.raises(GuestFileError, match="no space"):
                await shell.download("/a b", Deadline.after(10))

    with ssh_server(secrets, behave) as port:
        asyncio.run(scenario(port))
