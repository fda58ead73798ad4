"""A kernel in one file is found in it, with its modules, and unpacked once."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.guest.kernel_archive import is_kernel_archive, unpack_kernel_archive

RELEASE = "6.12.0-rc1"


def pack(folder: Path, name: str, *, image: str | None = f"boot/vmlinuz-{RELEASE}", modules: bool = True) -> Path:
    """Make a tar as `make tar-pkg` does, or a Debian package."""
    root = folder / "root"
    (root / "boot").mkdir(parents=True)
    (root / "boot/vmlinux-6.12.0-rc1").write_bytes(b"large")
    if image is not None:
        (root / image).write_bytes(b"kernel")
    if modules:
        (root / "lib/modules" / RELEASE / "kernel").mkdir(parents=True)
        # /bin/true is an ELF file, which is all that depmod asks of a module without dependencies.
        shutil.copy(os.path.realpath("/bin/true"), root / "lib/modules" / RELEASE / "kernel/kvm.ko")
    if name.endswith(".deb"):
        (root / "DEBIAN").mkdir()
        fields = {"Package": "linux-image", "Version": "1", "Architecture": "amd64", "Maintainer": "t <t@t>"}
        text = "".join(f"{key}: {value}\n" for key, value in fields.items())
        (root / "DEBIAN/control").write_text(f"{text}Description: t\n")
        if shutil.which("dpkg-deb") is None:
            pytest.skip("dpkg-deb(1) is not installed")
        words = ["dpkg-deb", "--root-owner-group", "-b", str(root), str(folder / name)]
    else:
        words = ["tar", "-caf", str(folder / name), "-C", str(root), "."]
    subprocess.run(words, check=True, capture_output=True)
    return folder / name


@pytest.mark.parametrize("name", ["k.tar", "k.tar.gz", "k.deb"])
def test_the_image_and_its_modules_are_found(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path, name)
    image, modules = unpack_kernel_archive(archive, tmp_path / "cache")
    assert image.read_bytes() == b"kernel"
    assert modules is not None
    assert "kernel/kvm.ko:" in (modules / "modules.dep").read_text()
    image.write_bytes(b"kept")
    assert unpack_kernel_archive(archive, tmp_path / "cache")[0].read_bytes() == b"kept"
    folders = [path.name for path in (tmp_path / "cache/kernels").iterdir() if path.is_dir()]
    assert len(folders) == 1


def test_a_kernel_without_modules_has_none(tmp_path: Path) -> None:
    assert unpack_kernel_archive(pack(tmp_path, "k.tar", modules=False), tmp_path / "cache")[1] is None


def test_what_holds_no_kernel_or_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no kernel: nothing in it is boot/vmlinuz"):
        unpack_kernel_archive(pack(tmp_path, "k.tar", image=None), tmp_path / "cache")
    (tmp_path / "text.tar").write_text("text")
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack_kernel_archive(tmp_path / "text.tar", tmp_path / "cache")


def test_names() -> None:
    assert all(map(is_kernel_archive, ("a/k.deb", "k.tar.xz", "k.tar")))
    assert not any(map(is_kernel_archive, ("vmlinuz-6.1", "bzImage", "linux-image-6.1.0-50-amd64")))
