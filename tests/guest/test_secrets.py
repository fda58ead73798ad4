"""Keys are fresh, in dropbear's format, and never a file."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.guest.secrets import initramfs_memfd, make_secrets, overlay_cpio, public_blob

needs_cpio = pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio(1) is not installed")


def unpack(archive: bytes, folder: Path) -> Path:
    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=folder, check=True, capture_output=True)
    return folder


def test_no_two_boots_share_a_key() -> None:
    made = [make_secrets() for _ in range(4)]
    assert len({secrets.host_private for secrets in made} | {secrets.user_private for secrets in made}) == 8


def test_repr_shows_no_private_key() -> None:
    secrets = make_secrets()
    assert repr(secrets.host_private) not in repr(secrets)
    assert repr(secrets.user_private) not in repr(secrets)


@needs_cpio
@pytest.mark.skipif(shutil.which("dropbearkey") is None, reason="dropbearkey(1) is not installed")
def test_dropbear_reads_the_host_key(tmp_path: Path) -> None:
    secrets = make_secrets()
    key = unpack(overlay_cpio(secrets), tmp_path) / "etc/dropbear/host_key"
    done = subprocess.run(["dropbearkey", "-y", "-f", str(key)], capture_output=True, check=True, text=True)
    assert f"ssh-ed25519 {base64.b64encode(public_blob(secrets.host_public)).decode()}" in done.stdout


@needs_cpio
def test_only_root_may_read_the_keys(tmp_path: Path) -> None:
    root = unpack(overlay_cpio(make_secrets()), tmp_path)
    modes = {path: (root / path).stat().st_mode & 0o777 for path in ("etc/dropbear/host_key", "root", "root/.ssh")}
    assert modes == {"etc/dropbear/host_key": 0o600, "root": 0o700, "root/.ssh": 0o700}
    assert (root / "root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600


@needs_cpio
def test_files_and_the_replacement_travel_along(tmp_path: Path) -> None:
    overlay = overlay_cpio(make_secrets(), {"/opt/tool": b"\x7fELF", "/etc/x": b"y"}, b"echo c >/proc/sysrq-trigger\n")
    root = unpack(overlay, tmp_path)
    assert (root / "opt/tool").read_bytes() == b"\x7fELF"
    assert os.access(root / "opt/tool", os.X_OK)
    assert (root / "etc/svsm/init").read_bytes() == b"echo c >/proc/sysrq-trigger\n"


@needs_cpio
def test_without_a_replacement_there_is_none(tmp_path: Path) -> None:
    assert not (unpack(overlay_cpio(make_secrets()), tmp_path) / "etc/svsm").exists()


def test_a_relative_file_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute"):
        overlay_cpio(make_secrets(), {"etc/x": b""})


def test_the_memfd_is_base_then_overlay_and_has_no_name_on_disk(tmp_path: Path) -> None:
    base = tmp_path / "base.cpio"
    base.write_bytes(os.urandom(3_000_000))
    with initramfs_memfd(base, b"overlay") as descriptor:
        assert str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith("/memfd:")
        # A second open, as QEMU does it, starts at the beginning.
        assert Path(f"/proc/self/fd/{descriptor}").read_bytes() == base.read_bytes() + b"overlay"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert list(tmp_path.iterdir()) == [base]


def test_a_missing_base_leaves_no_descriptor(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(FileNotFoundError), initramfs_memfd(tmp_path / "none", b""):
        pass
    assert set(Path("/proc/self/fd").iterdir()) == before
