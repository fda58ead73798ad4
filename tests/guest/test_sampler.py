"""Sampling returns exactly the bytes of a file, whatever they are; the loop runs in this machine's shell."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import paramiko
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback_ssh import finish, ssh_server

from harness.clock import Deadline
from harness.guest.sampler import Sampler
from harness.guest.secrets import make_secrets
from harness.guest.ssh import GuestFileError, SshLost, connect


def in_a_shell(channel: paramiko.Channel, command: bytes) -> None:
    """Run the command for real, its pipes joined to the channel."""
    with subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        out = shell.stdout.fileno()

        def answer() -> None:
            # The client may be gone before the answer.
            with contextlib.suppress(OSError):
                while data := os.read(out, 65536):
                    channel.sendall(data)
                finish(channel, shell.wait())

        answering = threading.Thread(target=answer, name="server-answer", daemon=True)
        answering.start()
        while data := channel.recv(65536):
            shell.stdin.write(data)
            shell.stdin.flush()
        shell.stdin.close()
        answering.join()  # it reads what is closed next


def sample(work: Callable[[Sampler], Awaitable[None]]) -> None:
    secrets = make_secrets()

    async def scenario(port: int) -> None:
        async with connect("127.0.0.1", port, secrets, Deadline.after(10)) as shell, shell.sampler() as sampler:
            await work(sampler)

    with ssh_server(secrets, in_a_shell) as port:
        asyncio.run(scenario(port))


@settings(max_examples=5, deadline=None)
@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=4))
def test_any_content_comes_back_unchanged(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {str(Path(folder) / f"file {n}"): content for n, content in enumerate(contents)}
        for path, content in files.items():
            Path(path).write_bytes(content)

        async def work(sampler: Sampler) -> None:
            assert await sampler.read(list(files), Deadline.after(10)) == files

        sample(work)


def test_content_that_imitates_the_frame_is_content(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b".\n!\n.\n")

    async def work(sampler: Sampler) -> None:
        for _ in range(3):
            assert await sampler.read([str(tmp_path / "f")], Deadline.after(10)) == {str(tmp_path / "f"): b".\n!\n.\n"}

    sample(work)


def test_an_unreadable_file_is_named_and_the_next_read_works(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")

    async def work(sampler: Sampler) -> None:
        with pytest.raises(GuestFileError, match="/nope"):
            await sampler.read([str(tmp_path / "f"), "/nope"], Deadline.after(10))
        with pytest.raises(GuestFileError, match="cannot be read"):
            await sampler.read([str(tmp_path)], Deadline.after(10))
        assert await sampler.read([str(tmp_path / "f")], Deadline.after(10)) == {str(tmp_path / "f"): b"x"}

    sample(work)


def test_after_a_time_out_a_stale_answer_is_never_taken_for_a_new_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")

    async def work(sampler: Sampler) -> None:
        with pytest.raises(TimeoutError):
            await sampler.read([str(tmp_path / "never")], Deadline.after(0.2))
        with pytest.raises(SshLost):
            await sampler.read(["/etc/hostname"], Deadline.after(10))
        # Let the shell of this test go.
        descriptor = os.open(tmp_path / "never", os.O_RDWR | os.O_NONBLOCK)
        os.close(descriptor)

    sample(work)


@pytest.mark.parametrize("path", ["a\nb", "a\0b", ""])
def test_a_path_that_would_break_the_frame_is_refused(path: str) -> None:
    async def work(sampler: Sampler) -> None:
        with pytest.raises(GuestFileError, match="cannot be sampled"):
            await sampler.read([path], Deadline.after(10))

    sample(work)
