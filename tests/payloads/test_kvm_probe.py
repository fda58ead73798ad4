"""The KVM probe where there is no KVM: its build, its options, and that it refuses to count what nobody traces."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.qemu

SOURCE = Path(__file__).parents[2] / "guest_payloads" / "kvm_probe"
EXIT_BAD_OPTION = 37

Boot = Callable[[str], tuple[int, str, str]]


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for tool in ("gcc", "make", "qemu-system-x86_64"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    out = tmp_path_factory.mktemp("kvm_probe")
    build = subprocess.run(
        ["make", "-C", SOURCE, "-j2", f"OUT={out}", "WERROR=1"], capture_output=True, text=True, check=False
    )
    assert build.returncode == 0, build.stderr
    return out / "kvm_probe.elf"


@pytest.fixture
def boot(elf: Path, tmp_path: Path) -> Boot:
    def run(append: str) -> tuple[int, str, str]:
        report = tmp_path / "report.ktap"
        # fmt: off
        done = subprocess.run(
            [
                "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "64M",
                "-kernel", elf, "-append", append,
                "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                "-chardev", f"file,id=report,path={report}", "-serial", "chardev:report",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
            ],
            capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
        )
        # fmt: on
        return done.returncode, done.stdout.decode(), report.read_text()

    return run


@pytest.mark.parametrize(
    ("append", "reason"),
    [
        ("", "this is no KVM guest: CPUID leaf 40000000h is not KVM's"),
        ("frobnicate=1", "unknown option: frobnicate=1"),
        ("run", "not KEY=VALUE: run"),
        ("fault=other", "unknown value in: fault=other"),
        ("end=never", "unknown value in: end=never"),
        ("await-ms=0", "number missing or out of range in: await-ms=0"),
        ("await-ms=600001", "number missing or out of range in: await-ms=600001"),
    ],
)
def test_what_it_cannot_do_is_refused_on_both_ports(boot: Boot, append: str, reason: str) -> None:
    status, console, report = boot(append)
    assert status == EXIT_BAD_OPTION
    assert f"Bail out! kvm_probe: {reason}" in console
    assert f"Bail out! kvm_probe: {reason}" in report
    assert report.endswith("\n")


def test_image_uses_no_vector_register(elf: Path) -> None:
    listing = subprocess.run(["objdump", "-d", elf], capture_output=True, text=True, check=True).stdout
    assert "%xmm" not in listing
