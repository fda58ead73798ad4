from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.cli.bundle import bundle
from harness.errors import InputError

from .command import Bench


@pytest.mark.qemu
def test_a_real_boot_is_made_again_in_an_empty_folder(bench: Bench, tmp_path: Path) -> None:
    recorded = bench.command(*bench.boot("payload.yaml", "--set", "how=EXIT"))
    done = bench.command("bundle", f"{bench.run}/1", "-o", "boot.tar.gz")
    assert done.status == 0, (done, recorded)
    assert "unpack it and run reproduce.sh" in done.out
    empty = tmp_path / "empty"
    with tarfile.open(bench.folder / "boot.tar.gz") as tar:
        tar.extractall(empty, filter="data")
    (folder,) = empty.iterdir()
    again = subprocess.run(
        ["sh", str(folder / "reproduce.sh")],
        cwd="/",
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 33, again
    console = (folder / "boot" / "console.log").read_bytes()
    assert console.strip() == again.stdout.strip()


def test_one_boot_is_packed_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="latest/1"):
        bundle("latest", results=tmp_path)
    with pytest.raises(InputError, match="--largest"):
        bundle("latest/1", results=tmp_path, largest="64")
