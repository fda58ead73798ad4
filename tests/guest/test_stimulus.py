"""The tool is built, says what it cannot do, and does what it says in a real guest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.boot.site import payload_folder
from harness.errors import HostError
from harness.guest.stimulus import build_stimulus

SOURCE = payload_folder("linux") / "stimulus.c"
needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
COMMANDS, CYCLES = 25, 3
SCENARIO = f"""
name: stimuli
about: The tool does what it says, no more and no less.
machine:
  vcpus: 2
  devices: ["tpm-tis,tpmdev=tpm0"]
  options: [-chardev, "socket,id=chrtpm,path=${{SOCKET}}", -tpmdev, "emulator,id=tpm0,chardev=chrtpm"]
platforms: {{tcg: }}
timeout: 60s
steps:
  - tpm_commands: {COMMANDS}
  - cpu_offline_online: {{count: {CYCLES}, cpu: 1}}
  - guest: dmesg
  - tsm_reports: {{count: 1, service_provider: svsm}}
expect:
  - vcpus_online: 2
"""


@needs_compiler
def test_it_is_static_and_built_once(tmp_path: Path) -> None:
    built = build_stimulus(SOURCE, tmp_path)
    stamp = built.stat().st_mtime_ns
    assert build_stimulus(SOURCE, tmp_path) == built and built.stat().st_mtime_ns == stamp
    assert b"/ld-linux" not in built.read_bytes()
    assert [path.name for path in built.parent.iterdir()] == [built.name]


@needs_compiler
def test_what_does_not_compile_is_said_with_the_compilers_words(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return missing; }\n")
    with pytest.raises(HostError, match="missing"):
        build_stimulus(tmp_path / "bad.c", tmp_path / "cache")


@needs_compiler
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("", 2, "usage: "),
        ("tpm 0", 2, "usage: "),
        ("tpm 1x", 2, "usage: "),
        ("tpm 1 2", 2, "usage: "),
        ("cpu 1 0", 2, "usage: "),
        ("reports 1 svsm more", 2, "usage: "),
        ("cpu 1 4095", 1, "CPU 4095 cannot be taken offline: No such file"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: str, status: int, said: str) -> None:
    tool = build_stimulus(SOURCE, tmp_path)
    done = subprocess.run([str(tool), *arguments.split()], capture_output=True, text=True, check=False)
    assert done.returncode == status and said in done.stderr and done.stdout == ""


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A software TPM: its socket, and its log with every command."""
    if shutil.which("swtpm") is None:
        pytest.skip("there is no swtpm, so no TPM that could be asked")
    (tmp_path / "state").mkdir()
    socket, log = tmp_path / "tpm", tmp_path / "log"
    flags = ["--tpmstate", f"dir={tmp_path / 'state'}", "--log", f"file={log},level=20"]
    with subprocess.Popen(["swtpm", "socket", "--tpm2", "--ctrl", f"type=unixio,path={socket}", *flags]) as process:
        yield socket, log
        process.terminate()


@needs_compiler
@needs_qemu
@pytest.mark.qemu
def test_a_real_tpm_sees_exactly_so_many_commands_and_a_real_cpu_goes_so_often(
    tmp_path: Path, swtpm: tuple[Path, Path]
) -> None:
    socket, log = swtpm
    (tmp_path / "s.yaml").write_text(SCENARIO)
    run = ["run", str(tmp_path / "s.yaml"), "--set", f"SOCKET={socket}", "--results", str(tmp_path / "results")]
    done = subprocess.run([sys.executable, "-m", "harness.cli", *run], capture_output=True, text=True, check=False)
    (record,) = (tmp_path / "results").glob("2*/boots/*/boot.json")
    tpm, cpu, dmesg, reports = json.loads(record.read_text())["steps"]
    assert tpm["output"].strip() == f"# tpm commands={COMMANDS} answered={COMMANDS}", done.stdout + done.stderr
    # TPM2_GetRandom(16) as it came over the wire: the driver's own start-up sends others, and none like this.
    assert len(re.findall(r"80 01 00 00 00 0C 00 00 01 7B 00 10", log.read_text())) == COMMANDS
    assert cpu["output"].strip() == f"# cpu number=1 cycles={CYCLES}"
    assert dmesg["output"].count("CPU 1 is now offline") == CYCLES
    # No SVSM here: the step says what is missing, and the boot is no pass.
    assert reports["status"] == "failed" and "configfs" in reports["reason"]
    assert done.returncode == 1
