"""What the tests of the command share: the payloads, built once, and a bench for each test."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.boot.site import Site

from .command import BROKEN, Bench


@pytest.fixture(scope="session")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Assemble EXIT.elf, HANG.elf and FLOOD.elf."""
    if shutil.which("gcc") is None or shutil.which("ld") is None:
        pytest.skip("the payloads need gcc and ld")
    folder = tmp_path_factory.mktemp("payloads")
    for kind in ("EXIT", "HANG", "FLOOD"):
        made = folder / f"{kind}.o"
        subprocess.run(["gcc", "-m32", "-c", f"-D{kind}", str(BROKEN / "payload.S"), "-o", str(made)], check=True)
        linked = str(folder / f"{kind}.elf")
        subprocess.run(
            ["ld", "-m", "elf_i386", "-Ttext", "0x100000", "-e", "_start", str(made), "-o", linked], check=True
        )
    return folder


@pytest.fixture
def bench(tmp_path: Path, payloads: Path, site: Site) -> Bench:
    return Bench(tmp_path, payloads)
