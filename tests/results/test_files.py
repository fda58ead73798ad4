from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.results.files import append_line, write_whole


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight pages."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={8 * os.sysconf('SC_PAGE_SIZE')}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("tail", [b"", b"one\n", b"one\ntw", b"x"])
def test_a_line_is_appended_after_whatever_was_there(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(tail)
    append_line(path, b"new")
    append_line(path, b"newer")
    ended = tail if not tail or tail.endswith(b"\n") else tail + b"\n"
    assert path.read_bytes() == ended + b"new\nnewer\n"


def test_a_file_is_made_for_the_first_line(tmp_path: Path) -> None:
    append_line(tmp_path / "log", b"first")
    assert (tmp_path / "log").read_bytes() == b"first\n"


def test_two_processes_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from harness.results.files import append_line
        for number in range(200):
            append_line(Path(sys.argv[1]), f"{sys.argv[2]}-{number}-".encode() + b"x" * 5000)
    """)
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    heads = [line[:-5000].decode() for line in lines]
    assert sorted(heads) == sorted(f"{name}-{number}-" for name in ("a", "b") for number in range(200))
    assert {line[-5000:] for line in lines} == {b"x" * 5000}


def test_a_full_disk_leaves_whole_lines(full_disk: Path) -> None:
    path = full_disk / "log"
    line = b"x" * 3000
    with pytest.raises(HostError, match="No space left on device; free some space") as caught:
        for _ in range(1000):
            append_line(path, line)
    assert str(path) in str(caught.value)
    rows = path.read_bytes().split(b"\n")
    assert rows.pop() == b""
    assert set(rows) == {line}
    for _ in range(3):  # and it does not creep
        size = path.stat().st_size
        with pytest.raises(HostError):
            append_line(path, line)
        assert path.stat().st_size == size


def test_a_full_disk_leaves_the_old_content(full_disk: Path) -> None:
    path = full_disk / "boot.json"
    write_whole(path, b"old")
    with pytest.raises(HostError, match="free some space"):
        write_whole(path, b"x" * (1 << 20))
    assert path.read_bytes() == b"old"
    assert _files(full_disk) == ["boot.json"]


def test_a_limit_in_the_middle_of_a_line_leaves_whole_lines(tmp_path: Path) -> None:
    # The kernel writes up to the limit: a real short write, as on a disk with little left.
    path = tmp_path / "log"
    append_line(path, b"x" * 99)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))

    program = "import sys; from pathlib import Path; from harness.results.files import append_line\n"
    program += "append_line(Path(sys.argv[1]), b'y' * 99)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "HostError: cannot write" in done.stderr
    assert path.read_bytes() == b"x" * 99 + b"\n"


def _fail(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize(
    ("number", "to_do"),
    [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"), (errno.EIO, "choose another folder")],
)
def test_what_could_not_be_flushed_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, to_do: str
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    with monkeypatch.context() as patch:
        patch.setattr(f"harness.results.files.os.{call}", _fail(number))
        with pytest.raises(HostError, match=to_do):
            append_line(path, b"new")
    assert path.read_bytes() == b"one\ntw"
    append_line(path, b"new")
    assert path.read_bytes() == b"one\ntw\nnew\n"


def test_a_short_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    append_line(path, b"old")
    whole = os.write
    with monkeypatch.context() as patch:
        patch.setattr("harness.results.files.os.write", lambda to, data: whole(to, data[: len(data) // 2]))
        with pytest.raises(HostError, match="free some space"):
            append_line(path, b"new line")
    assert path.read_bytes() == b"old\n"


def test_a_file_is_written_whole_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for data in (b"one", b"", b"three"):
        write_whole(path, data)
        assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o644
    assert _files(tmp_path) == ["a"]


@pytest.mark.parametrize("failing", ["os.fsync", "os.fdopen", "Path.replace", "Path.chmod"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_in_between_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"harness.results.files.{failing}", fail)
        with pytest.raises(HostError if isinstance(error, OSError) else KeyboardInterrupt):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert _files(tmp_path) == ["a"]


@pytest.mark.parametrize("write", [append_line, write_whole])
def test_a_folder_that_is_not_there(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    path = tmp_path / "no" / "a"
    with pytest.raises(HostError, match="No such file or directory; choose another folder with --results") as caught:
        write(path, b"x")
    assert str(path) in str(caught.value)
