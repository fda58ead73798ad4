import asyncio
import shutil
from pathlib import Path

import pytest

from harness.qemu.disk import Disk, disk_options, pflash_options
from harness.scenario.model import Pflash

QEMU = shutil.which("qemu-system-x86_64") or ""


def test_a_disk_is_never_written_and_boots_first() -> None:
    options = disk_options(Disk("/a,b.qcow2", "qcow2", None), encrypted=False)
    assert ("-drive", "file=/a,,b.qcow2,format=qcow2,if=none,id=disk0,snapshot=on") in options
    assert any("bootindex=0" in value for _, value in options)
    assert not any("seed" in value or "iommu" in value for _, value in options)


def test_the_seed_is_read_only_and_behind_the_same_controller() -> None:
    options = dict(disk_options(Disk("d", "raw", "/proc/self/fd/7"), encrypted=True)[-2:])
    assert options["-drive"] == "file=/proc/self/fd/7,format=raw,if=none,id=seed0,readonly=on"


def test_flash_is_read_only_and_its_variables_are_thrown_away() -> None:
    (code, variables) = pflash_options(Pflash(code="C", vars="V"))
    assert "readonly=on" in code[1] and "unit=0" in code[1]
    assert "snapshot=on" in variables[1] and "unit=1" in variables[1]
    assert len(pflash_options(Pflash(code="C"))) == 1


@pytest.mark.skipif(not QEMU, reason="QEMU is not installed")
@pytest.mark.qemu
def test_a_real_qemu_takes_them_and_writes_nothing(tmp_path: Path) -> None:
    disk, seed = tmp_path / "disk", tmp_path / "seed"
    for path in (disk, seed):
        path.write_bytes(b"\x55" * (1 << 20))
    options = disk_options(Disk(str(disk), "raw", str(seed)), encrypted=True)
    words = [word for option in options for word in option]

    async def ask() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            QEMU, "-machine", "q35,accel=tcg", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio", *words,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(b'qemu-io disk0 "write -P 1 0 512"\nquit\n'), 20)
        return process.returncode, said.decode()

    status, said = asyncio.run(ask())
    assert status == 0 and "wrote 512/512 bytes" in said, said
    assert disk.read_bytes() == b"\x55" * (1 << 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "seed"]
