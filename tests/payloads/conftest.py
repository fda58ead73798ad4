"""Build the VMPL model once; boot it under the real QEMU."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from vmpl_model_boot import SOURCE, ModelBoot, boot_model


@pytest.fixture(scope="session")
def vmpl_model_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the payload; the tests are skipped where gcc, make or QEMU is missing."""
    for tool in ("gcc", "make", "qemu-system-x86_64"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    out = tmp_path_factory.mktemp("vmpl_model")
    build = subprocess.run(
        ["make", "-C", str(SOURCE), "-j2", f"OUT={out}", "WERROR=1"], capture_output=True, text=True, check=False
    )
    assert build.returncode == 0, build.stderr
    return out / "vmpl_model.elf"


@pytest.fixture
def boot(vmpl_model_elf: Path, tmp_path: Path) -> Callable[..., ModelBoot]:
    """Return ``boot(vcpus, append, …)``."""
    number = 0

    def run(vcpus: int, append: str, **options: object) -> ModelBoot:
        nonlocal number
        number += 1
        return boot_model(vmpl_model_elf, tmp_path / str(number), vcpus, append, **options)  # type: ignore[arg-type]

    return run
