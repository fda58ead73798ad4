"""The scripts of the far side, run by every shell that is here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.host.far_side import END, encode_input, fed_script, kill_script, live_script, watch_script

SHELLS = [words for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(words[0])]
ALL_BYTES = bytes(range(256)) + b".\n..\n%s \\0101 \\n 'x' \"y\"\n" + b"z" * 5000


def far(shell: list[str], command: str, stdin: bytes) -> tuple[int, bytes, bytes]:
    done = subprocess.run([*shell, "-c", command], input=stdin, capture_output=True, timeout=30, check=False)
    head, _, out = done.stdout.partition(b"\n")
    assert head.isdigit()  # the session of the script
    return done.returncode, out, done.stderr


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_live_input_arrives_byte_by_byte_and_ends_by_its_own_line(shell: list[str]) -> None:
    command = live_script("cat; echo bye >&2; exit 3", None)
    assert far(shell, command, encode_input(ALL_BYTES) + END) == (3, ALL_BYTES, b"bye\n")
    assert far(shell, command, encode_input(b"cut off")) == (3, b"cut off", b"bye\n")  # the connection broke


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_script_that_ends_before_its_input_ends_all(shell: list[str]) -> None:
    with subprocess.Popen([*shell, "-c", live_script("exit 7", None)], stdin=subprocess.PIPE) as process:
        assert process.wait(20) == 7  # although nobody ended its input
    assert far(shell, fed_script("head -c 3; exit 4", None, 200_000), b"abc" + bytes(199_997)) == (4, b"abc", b"")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_bounded_input_is_raw_and_ends_by_its_size(shell: list[str]) -> None:
    assert far(shell, fed_script("cat; exit 2", None, len(ALL_BYTES)), ALL_BYTES + b"more") == (2, ALL_BYTES, b"")
    assert far(shell, fed_script("cat", None, 0), b"more") == (0, b"", b"")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_script_is_killed_with_all_that_it_started(shell: list[str]) -> None:
    command = live_script("sleep 54321 & echo; wait; wait", None)
    with subprocess.Popen([*shell, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        session = int(process.stdout.readline())
        process.stdout.readline()
        subprocess.run([*shell, "-c", kill_script(session)], check=True)
        assert process.wait(20) != 0
        assert process.stdout.read() == b""  # nobody holds it any more, sleep neither


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_nothing_begins_after_the_watch_has_gone(shell: list[str], tmp_path: Path) -> None:
    began = tmp_path / "began"
    command = fed_script(f"echo out; echo >{began}", str(tmp_path / "gone"), 0)
    done = subprocess.run([*shell, "-c", command], capture_output=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert done.returncode != 0
    assert not began.exists()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_the_watch_kills_what_runs_and_takes_the_folder_away(shell: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
    with subprocess.Popen([*shell, "-c", live_script(watch_script(), None)], **pipes) as watch:
        assert watch.stdin is not None and watch.stdout is not None
        watch.stdout.readline()
        folder = watch.stdout.readline().decode().strip()
        assert Path(folder).parent == tmp_path
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        watch.stdin.write(encode_input(b"alive\n"))
        watch.stdin.flush()
        assert watch.stdout.readline() == b"\n"
        with subprocess.Popen([*shell, "-c", live_script("echo; exec sleep 54322", folder)], **pipes) as stubborn:
            assert stubborn.stdout is not None
            stubborn.stdout.readline()
            stubborn.stdout.readline()
            assert list(Path(folder, "jobs").iterdir())  # before the script's first word
            watch.stdin.close()
            assert watch.wait(30) == 0
            assert stubborn.wait(20) != 0
    assert not Path(folder).exists()
