from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.errors import HostError, InputError
from harness.regress.kernel_value import host_of, require_kernel_files, settle_kernels, split_kernel


def package(folder: Path) -> Path:
    root = folder / "root"
    (root / "boot").mkdir(parents=True)
    (root / "boot/vmlinuz-6.1").write_bytes(b"kernel")
    (root / "lib/modules/6.1").mkdir(parents=True)
    (root / "lib/modules/6.1/modules.dep").write_text("kernel/kvm.ko:\n")
    subprocess.run(["tar", "-cf", str(folder / "k.tar"), "-C", str(root), "."], check=True)
    return folder / "k.tar"


def test_modules_stand_behind_the_image(tmp_path: Path) -> None:
    assert split_kernel("a/vmlinuz:b/modules") == ("a/vmlinuz", "b/modules")
    assert split_kernel("a/vmlinuz") == ("a/vmlinuz", None)
    odd = tmp_path / "odd:name"
    odd.write_text("")
    assert split_kernel(str(odd)) == (str(odd), None)


def test_images_and_packages_become_keys(tmp_path: Path) -> None:
    values = {"guest.kernel": "/k/vmlinuz:/k/modules", "host.kernel": str(package(tmp_path)), "x": "a:b"}
    settled = settle_kernels(values, tmp_path / "cache")
    assert (settled["guest.kernel"], settled["guest.modules"], settled["x"]) == ("/k/vmlinuz", "/k/modules", "a:b")
    assert Path(settled["host.kernel"]).read_bytes() == b"kernel"
    assert (Path(settled["host.modules"]) / "modules.dep").is_file()


def test_what_needs_nothing_stays(tmp_path: Path) -> None:
    for values in ({"host.kernel": "6.1.0-50-amd64"}, {"host.kernel": "/k", "host.modules": "/m"}, {"IMAGE": "a"}):
        assert settle_kernels(values, tmp_path) == values


def test_modules_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"host\.modules is given beside host\.kernel=/k:/m"):
        settle_kernels({"host.kernel": "/k:/m", "host.modules": "/other"}, tmp_path)


def test_a_package_that_cannot_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(HostError, match="apt-cache is not installed"):
        settle_kernels({"host.kernel": "linux-image-6.1.0-50-amd64"}, tmp_path)


@pytest.mark.parametrize("value", ["/none/vmlinuz", "./none", "{here}:/none"])
def test_missing_files_are_named(tmp_path: Path, value: str) -> None:
    (tmp_path / "k").write_text("")
    with pytest.raises(InputError, match=r"--list: there is no .*none"):
        require_kernel_files("--list", value.replace("{here}", str(tmp_path / "k")))
    require_kernel_files("--list", f"{tmp_path}/k:{tmp_path}")
    require_kernel_files("--list", "linux-image-amd64")


def test_hosts_are_told_apart_by_kernel_and_modules() -> None:
    assert host_of({"a": "1"}) == host_of({"b": "2"})
    assert host_of({"host.kernel": "a"}) != host_of({"host.kernel": "a", "host.modules": "b"})
