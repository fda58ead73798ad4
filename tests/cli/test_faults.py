"""Faults under the harness: QEMU, the disk, the console. Each gets its verdict, its exit status and a reason."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .command import BROKEN, Bench, read_boots

pytestmark = pytest.mark.qemu
EXIT = ("--set", "how=EXIT")
HANG = ("--set", "how=HANG")
TCG = ("--platform", "tcg")


def written(bench: Bench, text: str) -> Path:
    path = bench.folder / "scenario.yaml"
    path.write_text(text)
    return path


def test_a_qemu_that_is_killed_is_a_crash(bench: Bench) -> None:
    with bench.start(*bench.boot("payload.yaml", *HANG, "--set", "timeout=10m", "--format", "json")) as process:
        bench.until(lambda: b"ready" in (bench.run / "boots/0001/console.log").read_bytes(), process)
        pid = bench.qemu()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        done = bench.finish(process)
    (line,) = done.json["boots"]
    assert done.status == 1
    assert (line["status"], line["outcome"]["kind"]) == ("FAIL", "qemu-crash")
    assert "killed by signal 9" in line["reason"]
    bench.until_alone()
    assert "1 boots judged again, 0 different" in bench.command("replay").out


def test_a_qemu_that_refuses_its_command_line_is_an_error_with_a_line_to_paste(bench: Bench) -> None:
    text = (BROKEN / "payload.yaml").read_text() + 'machine: {options: ["-bogus"]}\n'
    path = written(bench, text)
    words = bench.boot("payload.yaml", *EXIT)
    done = bench.command(words[0], path, *words[2:])
    assert done.status == 4
    assert "-bogus: invalid option" in done.out
    assert "ERROR" in done.out and "PASS" not in done.out
    (line,) = read_boots(bench.run)
    pasted = line["reason"].split("To try it by hand:\n")[1].strip()
    again = subprocess.run(pasted, shell=True, capture_output=True, text=True, check=False, timeout=20)  # noqa: S602
    assert again.returncode == 1 and "-bogus: invalid option" in again.stderr


@pytest.mark.parametrize("qemu", ["/nonexistent/qemu-system-x86_64", "no-such-qemu"])
def test_no_qemu_says_what_to_do(bench: Bench, qemu: str) -> None:
    bench.environment = {"SVSM_HARNESS_QEMU": qemu}
    done = bench.command(*bench.boot("payload.yaml", *EXIT))
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith(f"svsm-harness: there is no {qemu}; `ci/quickstart` installs it")
    assert done.err.count("\n") == 1


def test_a_qemu_that_cannot_start_is_told_in_its_own_words(bench: Bench) -> None:
    broken = bench.folder / "qemu"
    broken.write_text("#!/bin/sh\necho 'libfoo.so.1: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    bench.environment = {"SVSM_HARNESS_QEMU": str(broken)}
    done = bench.command(*bench.boot("payload.yaml", *EXIT))
    assert (done.status, done.out) == (4, "")
    assert "QEMU did not start: exit status 127" in done.err and "libfoo.so.1" in done.err
    assert "Traceback" not in done.err


def test_a_port_that_is_taken_cannot_be_wanted(bench: Bench) -> None:
    # The kernel chooses the port, so what remains is a scenario that asks QEMU for one that is taken.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = f'machine: {{options: ["-netdev", "user,id=mine,hostfwd=tcp:127.0.0.1:{port}-:22"]}}\n'
        path = written(bench, (BROKEN / "payload.yaml").read_text() + options)
        words = bench.boot("payload.yaml", *EXIT)
        done = bench.command(words[0], path, *words[2:])
    assert done.status == 4
    assert "Could not set up host forwarding rule" in done.out


def test_a_missing_kernel_is_bad_input_before_anything_boots(bench: Bench) -> None:
    path = written(
        bench, "name: x\nabout: No kernel.\nguest: {kernel: /nonexistent/vmlinuz, init: /nonexistent/init}\n"
    )
    done = bench.command("run", path)
    assert (done.status, done.out) == (2, "")
    assert "guest.kernel: there is no /nonexistent/vmlinuz" in done.err
    assert "guest.init: there is no /nonexistent/init" in done.err
    assert not bench.results.exists()


def test_a_kernel_that_is_none_is_an_error_of_the_scenario(bench: Bench) -> None:
    (bench.folder / "vmlinuz").write_bytes(b"MZ" + bytes(70_000))
    path = written(bench, "name: x\nabout: A damaged kernel.\nguest: {kernel: ./vmlinuz}\n")
    done = bench.command("run", path, "--format", "json", *TCG)
    assert done.status == 4
    (line,) = done.json["boots"]
    assert line["status"] == "ERROR" and line["outcome"] is None
    assert line["reason"].startswith("scenario: guest.kernel: vmlinuz cannot be booted")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_kernel_that_may_not_be_read_says_so(bench: Bench) -> None:
    kernel = bench.folder / "vmlinuz"
    kernel.write_bytes(b"x")
    kernel.chmod(0)
    path = written(bench, "name: x\nabout: A kernel of root.\nguest: {kernel: ./vmlinuz}\n")
    done = bench.command("run", path, "--format", "json", *TCG)
    assert done.status == 4 and "is not readable for you" in done.json["boots"][0]["reason"]


@pytest.mark.alone
def test_a_flood_ends_by_its_time_in_bounded_memory_and_every_byte_is_accounted_for(bench: Bench) -> None:
    with bench.start(
        *bench.boot("payload.yaml", "--set", "how=FLOOD", "--set", "timeout=8s", "--format", "json")
    ) as process:
        peak_kib = 0

        def watch() -> bool:
            nonlocal peak_kib
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak_kib = int(status.partition("VmHWM:")[2].split()[0])
            return b"quit" in (bench.run / "boots/0001/qmp.jsonl").read_bytes()

        bench.until(watch, process)
        done = bench.finish(process)
    (line,) = done.json["boots"]
    assert done.status == 1 and line["outcome"]["kind"] == "hang"
    record = json.loads((bench.run / "boots/0001/boot.json").read_text())
    assert record["gave_up_s"] < 8 and record["qemu_end"]["asked"]  # by its time, and not by the end of the flood
    size = (bench.run / "boots/0001/console.log").stat().st_size
    assert record["received_bytes"]["console"] == size > 50_000
    assert record["losses"] == []  # QEMU's answers are heard behind all that
    assert peak_kib < 200 << 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("room_kib", [0, 4, 16, 40])
def test_a_full_disk_never_passes_and_is_said_once(bench: Bench, small_disk: Path, room_kib: int) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes((252 - room_kib) << 10))
    scenario = (BROKEN / "payload.yaml").read_text().replace("[EXIT, HANG, FLOOD]", "[EXIT, FLOOD]")
    words = bench.boot("payload.yaml", "--results", small_disk / "results")
    done = bench.command(words[0], written(bench, scenario), *words[2:])
    assert done.status in (3, 4), done
    assert "Traceback" not in done.err and "Exception" not in done.err, done.err
    said = done.err + done.out
    assert "No space left on device" in said or "disk full" in said, said
    assert done.err.count("svsm-harness: ") <= 1
    if room_kib <= 16:
        assert done.err.count("svsm-harness: cannot write ") == 1 and "free some space" in done.err
    bench.until_alone()


def test_results_that_may_not_be_written_are_said_before_anything_boots(bench: Bench) -> None:
    (bench.folder / "results").write_text("a file is in the way")
    done = bench.command(*bench.boot("payload.yaml", *EXIT))
    assert done.status == 4 and "cannot write" in done.err and "choose another folder with --results" in done.err
    assert "Traceback" not in done.err
