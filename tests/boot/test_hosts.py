"""Real boots on a real SSH server of this machine, made by the command as a person types it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ssh_server import Server, serve

from harness.boot.site import Site

pytestmark = pytest.mark.qemu

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "boot" / "smp.yaml"
VARIANT = "boot[type=q35,vcpus=2]"


@pytest.fixture
def server(tmp_path: Path, site: Site) -> Iterator[Server]:
    with serve(tmp_path / "server") as running:
        (tmp_path / "hosts.yaml").write_text(running.inventory)
        yield running


def start(program: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    words = ["run", str(SCENARIO), "--only", VARIANT, "--platform", "tcg", "--host", "loopback", "--format", "json"]
    return subprocess.Popen(
        [str(program), *words, *more],
        cwd=folder,
        env={**os.environ, "SVSM_HARNESS_HOSTS": str(folder / "hosts.yaml")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_qemu(server: Server, process: subprocess.Popen[str]) -> int:
    end_s = time.monotonic() + 90
    while time.monotonic() < end_s:
        for pid, words in server.processes().items():
            if "qemu-system" in words.split()[0] and "-kernel" in words:
                return pid
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("QEMU never ran")


def left_alone(server: Server, limit_s: float = 30) -> bool:
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        ours = [words for words in server.processes().values() if "dropbear" not in words.split()[0]]
        if not ours and not list((server.folder / "tmp").iterdir()):
            return True
        time.sleep(0.02)
    return False


def test_a_boot_passes_and_its_record_names_the_host(server: Server, program: Path, tmp_path: Path) -> None:
    out, err = start(program, tmp_path).communicate(timeout=120)
    answer = json.loads(out)
    assert answer["exit_status"] == 0, out + err
    record = json.loads(((tmp_path / answer["results"]) / "boots" / "0001" / "boot.json").read_text())
    assert record["host"]["name"] == "loopback"
    assert record["host"]["kind"] == "ssh"
    assert abs(record["host"]["clock_offset_s"]) <= record["host"]["clock_uncertainty_s"] + 0.05
    assert record["qemu_end"] == {"status": 0, "asked": True}
    everything = [path.read_bytes() for path in (tmp_path / answer["results"]).rglob("*") if path.is_file()]
    assert not any(b"PRIVATE KEY" in content for content in everything)
    assert left_alone(server)


def test_a_connection_that_breaks_in_mid_boot_is_inconclusive(server: Server, program: Path, tmp_path: Path) -> None:
    with start(program, tmp_path) as process:
        wait_for_qemu(server, process)
        server.kill()
        out, err = process.communicate(timeout=120)
    answer = json.loads(out)
    assert answer["exit_status"] == 3, out + err
    assert answer["boots"][0]["status"] == "INCONCLUSIVE"
    assert "host loopback was lost" in answer["boots"][0]["reason"]
    assert left_alone(server)  # the far side cleans up by itself


def test_nothing_stays_there_when_the_harness_is_killed(server: Server, program: Path, tmp_path: Path) -> None:
    with start(program, tmp_path) as process:
        wait_for_qemu(server, process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert left_alone(server)


def test_a_changed_key_ends_the_run_before_anything_is_started(server: Server, program: Path, tmp_path: Path) -> None:
    known = server.folder / "known_hosts"
    where, kind, _ = known.read_text().split()
    known.write_text(f"{where} {kind} {(server.folder / 'user_key.pub').read_text().split()[1]}\n")
    process = start(program, tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, out + err
    assert "THE HOST KEY HAS CHANGED" in err and "ssh-keygen" in err
    assert not (tmp_path / "results").exists()
    assert left_alone(server)
