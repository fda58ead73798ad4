"""A QEMU behind scripts says the same as the same QEMU asked directly, and is asked once."""

import asyncio
import shutil
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import HostError, LaunchError
from harness.host.local import LocalHost
from harness.qemu.capabilities import Capabilities, probe_capabilities
from harness.qemu.capabilities_there import probe_capabilities_there

QEMU = shutil.which("qemu-system-x86_64") or ""
pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


class Pretended(LocalHost):
    """Be this machine as if it were another one, with a folder of the run."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def folder(self, deadline: Deadline) -> str:
        return str(self._folder)


def ask(folder: Path, qemu: str) -> Capabilities:
    host = Pretended(folder)
    return asyncio.run(probe_capabilities_there(host, qemu, folder / "cache", Deadline.after(30)))


def test_it_says_the_same_from_afar(tmp_path: Path) -> None:
    here = asyncio.run(probe_capabilities(QEMU, tmp_path / "here"))
    assert ask(tmp_path, "qemu-system-x86_64") == here
    (kept,) = (tmp_path / "cache" / "qemu").iterdir()
    kept.write_text(kept.read_text().replace(here.package, "from the cache"))
    assert ask(tmp_path, QEMU).package == "from the cache"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("ask-")] == []


def test_a_missing_qemu_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="has no qemu-nonesuch; install QEMU there, or name its path by `qemu:`"):
        ask(tmp_path, "qemu-nonesuch")


def test_a_qemu_that_does_not_run_is_told_with_its_own_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken-qemu"
    broken.write_text("#!/bin/sh\necho 'libmissing.so: cannot open' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(LaunchError, match="libmissing"):
        ask(tmp_path, str(broken))
