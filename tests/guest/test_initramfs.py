"""The image is built once from real programs, found again fast, and rebuilt when a part changes."""

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.guest.initramfs import GuestImage, Tools, build_image, find_tools, shared_libraries
from harness.guest.kernel import GuestKernel
from harness.guest.modules import MissingModules, Wanted

RELEASE = "6.1.0-test"
WANTED = (Wanted("virtio_net", "for the test"),)

try:
    TOOLS = find_tools(os.environ["PATH"])
except HostError:
    pytest.skip("busybox or dropbear is not installed", allow_module_level=True)


class Setting:
    """A kernel with two modules, an init, and a cache of its own."""

    def __init__(self, root: Path) -> None:
        self.cache, self.init, modules = root / "cache", root / "init", root / "modules"
        self.init.write_text("#!/bin/sh\n")
        (modules / "net").mkdir(parents=True)
        (modules / "modules.dep").write_text("net/virtio_net.ko.xz: net/failover.ko\nnet/failover.ko:\n")
        (modules / "net/virtio_net.ko.xz").write_bytes(lzma.compress(b"virtio_net"))
        (modules / "net/failover.ko").write_bytes(b"failover")
        self.kernel = GuestKernel(root / "vmlinuz", modules, RELEASE, "for the test", "00")

    def build(self, tools: Tools = TOOLS) -> GuestImage:
        return build_image(self.kernel, self.init, tools, self.cache, WANTED)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def unpack(image: GuestImage, folder: Path) -> Path:
    folder.mkdir()
    # Device nodes need root; all else does not.
    subprocess.run(
        ["cpio", "-id", "--quiet", "--no-absolute-filenames", "-f", "dev/console"],
        input=image.initramfs.read_bytes(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


def test_the_image_holds_what_the_guest_needs(setting: Setting, tmp_path: Path) -> None:
    image = setting.build()
    root = unpack(image, tmp_path / "out")
    below = f"lib/modules/{RELEASE}/net"
    assert (root / "etc/svsm/modules").read_text() == f"/{below}/failover.ko\n/{below}/virtio_net.ko\n"
    assert (root / below / "virtio_net.ko").read_bytes() == b"virtio_net"
    assert (root / "init").stat().st_mode & 0o111
    assert (root / "bin/insmod").readlink() == Path("busybox")
    for path, digest in image.parts.items():
        assert hashlib.sha256((root / path.lstrip("/")).read_bytes()).hexdigest() == digest
    assert {"/init", "/bin/busybox", "/usr/sbin/dropbear", f"/{below}/failover.ko"} <= set(image.parts)


def test_the_programs_start_from_the_image_alone(setting: Setting, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("chroot(2) needs root")
    root = unpack(setting.build(), tmp_path / "out")
    # dropbear -V loads every library that it is linked with.
    done = subprocess.run(
        ["chroot", str(root), "/usr/sbin/dropbear", "-V"], capture_output=True, text=True, check=False
    )
    assert "Dropbear" in done.stdout + done.stderr


def test_the_second_build_reads_nothing_but_its_memory(setting: Setting) -> None:
    first = setting.build()
    stamp = first.initramfs.stat().st_mtime_ns
    assert setting.build() == first
    assert first.initramfs.stat().st_mtime_ns == stamp


def test_equal_content_is_one_file(setting: Setting) -> None:
    first = setting.build()
    os.utime(setting.init, ns=(1, 1))
    assert setting.build() == first
    assert len(list((setting.cache / "images").glob("*.cpio"))) == 1


@pytest.mark.parametrize("part", ["init", "modules/net/failover.ko", "modules/modules.dep"])
def test_a_changed_part_makes_another_image(setting: Setting, tmp_path: Path, part: str) -> None:
    first = setting.build()
    with (tmp_path / part).open("a") as stream:
        stream.write("net/extra.ko:\n" if part.endswith("dep") else "#\n")
    second = setting.build()
    # A dependency file that changes nothing that is loaded changes nothing in the image.
    assert (second.key == first.key) is part.endswith("dep")
    assert second.initramfs.exists()


def test_the_key_is_the_digest_of_the_file(setting: Setting) -> None:
    image = setting.build()
    assert hashlib.sha256(image.initramfs.read_bytes()).hexdigest() == image.key
    assert image.initramfs.stem == image.key


@pytest.mark.parametrize("damage", ["emptied", "cut", "memory"])
def test_a_damaged_cache_is_repaired(setting: Setting, damage: str) -> None:
    first = setting.build()
    content = first.initramfs.read_bytes()
    if damage == "emptied":
        first.initramfs.unlink()
    elif damage == "cut":
        first.initramfs.write_bytes(content[:1000])
    else:
        for memo in (setting.cache / "images").glob("*.json"):
            memo.write_bytes(b"{")
    assert setting.build().initramfs.read_bytes() == content


def test_a_kernel_without_modules_loads_none(setting: Setting, tmp_path: Path) -> None:
    setting.kernel = GuestKernel(tmp_path / "k", None, RELEASE, "all built in", "00")
    root = unpack(setting.build(), tmp_path / "out")
    assert (root / "etc/svsm/modules").read_text() == ""


def test_a_missing_module_is_named(setting: Setting) -> None:
    with pytest.raises(MissingModules, match="no module rare"):
        build_image(setting.kernel, setting.init, TOOLS, setting.cache, [Wanted("rare", "for the test")])


def test_a_listed_module_without_a_file_is_named(setting: Setting) -> None:
    assert setting.kernel.modules_dir is not None
    (setting.kernel.modules_dir / "net/failover.ko").unlink()
    with pytest.raises(HostError, match=r"failover\.ko: No such file"):
        setting.build()


def test_missing_programs_name_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.guest.initramfs._SEARCH", ())
    with pytest.raises(HostError, match=r"busybox-static.*dropbear-bin"):
        find_tools("/nonexistent")


def test_a_dynamic_busybox_is_refused(setting: Setting, tmp_path: Path) -> None:
    fake = tmp_path / "busybox"
    shutil.copy("/bin/sh", fake)
    with pytest.raises(HostError, match="install the package busybox-static"):
        setting.build(Tools(fake, TOOLS.dropbear))


def test_libraries_are_real_files_and_a_static_program_has_none() -> None:
    libraries = shared_libraries(TOOLS.dropbear)
    assert any(path.name.startswith("libc.so") for path in libraries)
    assert any(path.name.startswith("ld-") for path in libraries)
    assert all(path.is_file() for path in libraries)
    assert shared_libraries(TOOLS.busybox) == ()


def test_racing_builders_agree_and_leave_one_image(setting: Setting) -> None:
    code = """
import sys
from pathlib import Path
from harness.guest.initramfs import build_image, find_tools
from harness.guest.kernel import GuestKernel
from harness.guest.modules import Wanted
init, modules, cache = map(Path, sys.argv[1:])
kernel = GuestKernel(init, modules, "6.1.0-test", "for the test", "00")
print("started", flush=True)
sys.stdin.readline()
image = build_image(kernel, init, find_tools(""), cache, [Wanted("virtio_net", "for the test")])
print(image.initramfs, len(image.initramfs.read_bytes()))
"""
    argv = [sys.executable, "-c", code, str(setting.init), str(setting.kernel.modules_dir), str(setting.cache)]
    racers = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "started\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
    outputs = {racer.communicate(timeout=30)[0] for racer in racers}
    assert len(outputs) == 1
    names = sorted(path.suffix for path in (setting.cache / "images").iterdir() if path.suffix != ".lock")
    assert names == [".cpio", ".json"]
