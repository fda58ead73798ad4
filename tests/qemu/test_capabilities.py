"""Ask a real QEMU what it has, keep the answer, and say it when there is none."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from harness.errors import HostError, LaunchError
from harness.qemu import capabilities
from harness.qemu.capabilities import find_qemu, probe_capabilities

QEMU = shutil.which("qemu-system-x86_64") or ""
needs_qemu = pytest.mark.skipif(not QEMU, reason="QEMU is not installed")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_environment_names_the_qemu_or_the_path_does(tmp_path: Path) -> None:
    mine = script(tmp_path / "my-qemu", "exit 0")
    on_path = script(tmp_path / "qemu-system-x86_64", "exit 0")
    assert find_qemu({"SVSM_HARNESS_QEMU": str(mine), "PATH": "/bin"}) == str(mine)
    assert find_qemu({"SVSM_HARNESS_QEMU": "my-qemu", "PATH": str(tmp_path)}) == str(mine)
    assert find_qemu({"PATH": str(tmp_path)}) == str(on_path)


@pytest.mark.parametrize("environment", [{}, {"SVSM_HARNESS_QEMU": "/nonexistent/qemu"}])
def test_no_qemu_says_how_to_get_one(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(
        HostError, match=r"there is no .*`ci/quickstart` installs it, or name one by SVSM_HARNESS_QEMU="
    ):
        find_qemu({**environment, "PATH": str(tmp_path)})


@needs_qemu
@pytest.mark.qemu
def test_a_real_qemu_lists_what_it_has_and_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = asyncio.run(probe_capabilities(QEMU, tmp_path))
    assert found.version >= (4, 2, 0) and found.version_text.count(".") == 2
    assert {"q35", "microvm", "none"} <= set(found.machines) and found.machines["q35"] >= 8
    assert {"max", "host", "qemu64"} <= found.cpus
    assert {"isa-debugcon", "isa-debug-exit", "virtio-net-pci"} <= found.types
    assert "virtio-net-pci" in found.pci_types and "virtio-net-device" not in found.pci_types

    async def never(binary: str) -> None:
        raise AssertionError("it was asked again")

    monkeypatch.setattr(capabilities, "_ask", never)
    assert asyncio.run(probe_capabilities(QEMU, tmp_path)) == found
    assert [path.suffix for path in (tmp_path / "qemu").iterdir()] == [".json"]


@needs_qemu
@pytest.mark.qemu
def test_another_file_is_asked_anew_and_a_damaged_answer_too(tmp_path: Path) -> None:
    found = asyncio.run(probe_capabilities(QEMU, tmp_path))
    (kept,) = (tmp_path / "qemu").iterdir()
    kept.write_text(kept.read_text()[:40])
    assert asyncio.run(probe_capabilities(QEMU, tmp_path)) == found
    other = script(tmp_path / "other", f'exec {QEMU} "$@"')
    assert asyncio.run(probe_capabilities(str(other), tmp_path)).binary == str(other)
    assert len(list((tmp_path / "qemu").iterdir())) == 2


def test_what_is_no_qemu_is_told_with_its_own_words(tmp_path: Path) -> None:
    broken = script(tmp_path / "qemu", "echo 'error while loading shared libraries: libfoo.so.1' >&2; exit 127")
    with pytest.raises(LaunchError) as raised:
        asyncio.run(probe_capabilities(str(broken), tmp_path))
    assert raised.value.status == "exit status 127" and "libfoo.so.1" in raised.value.stderr
    assert raised.value.argv == (str(broken), "-version")


def test_a_qemu_that_vanished_is_a_host_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"cannot read .*/gone: No such file"):
        asyncio.run(probe_capabilities(str(tmp_path / "gone"), tmp_path))


def test_asking_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    broken = script(tmp_path / "qemu", "exit 1")
    with pytest.raises(LaunchError):
        asyncio.run(probe_capabilities(str(broken), tmp_path / "cache"))
    assert os.listdir(tmp_path / "tmp") == []  # noqa: PTH208
