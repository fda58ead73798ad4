from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from harness.clock import Deadline
from harness.host.protocol import Finished, HostFacts, QemuHost
from harness.regress.host_kernel import WantedKernel, compare_running, runs_already, wanted_kernel
from harness.regress.span import CannotTest

from .machine import kernel_image

NOTES = struct.pack("<III", 4, 2, 3) + b"GNU\0\xab\xcd\0\0"


@dataclass
class Told:
    """A host that says what the test says."""

    release: str
    notes: bytes | None
    name: str = "told"

    @property
    def facts(self) -> HostFacts:
        return HostFacts(self.release, "id", 1, 1, "")

    async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
        assert script == "cat /sys/kernel/notes"
        return Finished(0, self.notes, b"") if self.notes is not None else Finished(1, b"", b"No such file")


def host(release: str, notes: bytes | None) -> QemuHost:
    return cast(QemuHost, Told(release, notes))


def wanted(build_id: str | None = "abcd") -> WantedKernel:
    return WantedKernel("6.1", Path("k"), None, build_id, "" if build_id else "no payload")


@pytest.mark.parametrize(
    ("notes", "kernel", "found"),
    [
        (NOTES, wanted(), ("abcd", "")),
        (None, wanted(), (None, "only the release was compared: /sys/kernel/notes there cannot be read: No such file")),
        (b"", wanted(), (None, "only the release was compared: /sys/kernel/notes there: no note of the linker")),
        (NOTES, wanted(None), (None, "only the release was compared: no payload")),
    ],
)
def test_what_runs_is_what_was_wanted(notes: bytes | None, kernel: WantedKernel, found: tuple[str | None, str]) -> None:
    build_id, note = asyncio.run(compare_running(host("6.1", notes), kernel))
    assert build_id == found[0]
    assert note.startswith(found[1])


@pytest.mark.parametrize(
    ("release", "build_id", "said"), [("6.2", "abcd", "fall-back"), ("6.1", "ffff", "another build")]
)
def test_something_else_is_refused(release: str, build_id: str, said: str) -> None:
    with pytest.raises(CannotTest, match=said):
        asyncio.run(compare_running(host(release, NOTES), wanted(build_id)))


def test_only_the_same_build_is_known_to_run_already() -> None:
    assert asyncio.run(runs_already(host("6.1", NOTES), wanted())) == "abcd"
    for other in (host("6.2", NOTES), host("6.1", None)):
        assert asyncio.run(runs_already(other, wanted())) is None


def test_an_image_says_its_release_and_its_build(tmp_path: Path) -> None:
    path = kernel_image(tmp_path / "vmlinux", "6.6.0-a", "1234")
    found = wanted_kernel({"host.kernel": str(path)})
    assert (found.release, found.image, found.build_id, found.note) == ("6.6.0-a", path, "1234", "")
    found = wanted_kernel({"host.kernel": str(kernel_image(tmp_path / "bare", "6.6.0-a", None))})
    assert (found.build_id, found.note) == (None, "no note of the linker names a build id")
    found = wanted_kernel({"host.kernel": "6.6.0-b"})
    assert (found.release, found.image) == ("6.6.0-b", None)


def test_what_is_no_kernel_or_has_no_modules_cannot_be_tested(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(CannotTest, match=r"host\.kernel: .*text cannot be booted"):
        wanted_kernel({"host.kernel": str(tmp_path / "text")})
    path = kernel_image(tmp_path / "vmlinux", "6.6.0-a", "1234")
    with pytest.raises(CannotTest, match=r"host\.modules: .* has no modules\.dep for 6\.6\.0-a"):
        wanted_kernel({"host.kernel": str(path), "host.modules": str(tmp_path)})
