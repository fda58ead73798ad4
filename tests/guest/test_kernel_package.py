"""The fetch is atomic, happens once however many want it, and every failure names the command to run.

The package client is played by scripts on PATH; the package itself is real and made with dpkg-deb.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.guest import kernel_package
from harness.guest.kernel_package import concrete_packages, fetch_cloud_kernel, fetch_kernel

DEBIAN = 'NAME="Debian GNU/Linux"\nID=debian\n'
RELEASE = "6.1.0-9-cloud-amd64"
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb(1) is not installed")


def script(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A kernel package with one module, as a .deb."""
    root = tmp_path / "package"
    modules = root / "lib/modules" / RELEASE / "kernel"
    for folder in (root / "DEBIAN", root / "boot", modules):
        folder.mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        f"Package: linux-image-{RELEASE}\nVersion: 1\nArchitecture: amd64\nMaintainer: t <t@t>\nDescription: t\n"
    )
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(b"kernel")
    # /bin/true is an ELF file, which is all that depmod asks of a module without dependencies.
    shutil.copy(os.path.realpath("/bin/true"), modules / "button.ko")
    built = tmp_path / "kernel.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(built)], check=True, capture_output=True)
    return built


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts before everything else on PATH."""
    bin_dir = tmp_path / "bin"
    script(
        bin_dir, "apt-cache", f'echo "$2"; [ "$2" = linux-image-{RELEASE} ] || echo "  Depends: linux-image-{RELEASE}"'
    )
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    return bin_dir


@pytest.mark.parametrize(
    ("depends", "names"),
    [
        (
            "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n",
            ("linux-image-6.1.0-56-cloud-amd64",),
        ),
        (
            "linux-image-virtual\n  Depends: linux-image-6.8.0-31-generic\n  Depends: linux-base\n",
            ("linux-image-6.8.0-31-generic",),
        ),
        (
            "linux-image-6.8.0-31-generic\n  Depends: kmod\n  Depends: linux-base\n"
            "  Depends: linux-modules-6.8.0-31-generic\n  Conflicts: linux-image-unsigned-6.8.0-31-generic\n",
            ("linux-modules-6.8.0-31-generic",),
        ),
        ("linux-image-cloud-amd64\n", ()),
        ("", ()),
    ],
)
def test_the_meta_package_leads_to_versioned_ones(depends: str, names: tuple[str, ...]) -> None:
    assert concrete_packages(depends) == names


@needs_dpkg
def test_a_package_becomes_a_kernel_with_indexed_modules(tmp_path: Path, package: Path, client: Path) -> None:
    script(client, "apt-get", f"cp {package} .")
    image, modules, origin = fetch_cloud_kernel(tmp_path / "cache", DEBIAN)
    assert image.read_bytes() == b"kernel"
    assert modules.name == RELEASE
    assert "kernel/button.ko:" in (modules / "modules.dep").read_text()
    assert origin == "fetched package linux-image-cloud-amd64"
    assert sorted(path.name for path in (tmp_path / "cache/kernels").iterdir()) == [
        "linux-image-cloud-amd64",
        "linux-image-cloud-amd64.lock",
    ]


@needs_dpkg
@pytest.mark.parametrize("name", ["linux-image-rt-amd64", f"linux-image-{RELEASE}"])
def test_another_kernel_is_fetched_by_its_name(tmp_path: Path, package: Path, client: Path, name: str) -> None:
    script(client, "apt-get", f'[ "$5" = linux-image-{RELEASE} ] && cp {package} .')
    image, modules, origin = fetch_kernel(tmp_path / "cache", name)
    assert (image.read_bytes(), modules.name) == (b"kernel", RELEASE)
    assert origin == f"fetched package {name}"


@needs_dpkg
def test_the_second_time_needs_neither_network_nor_client(tmp_path: Path, package: Path, client: Path) -> None:
    script(client, "apt-get", f"cp {package} .")
    first = fetch_cloud_kernel(tmp_path / "cache", DEBIAN)
    script(client, "apt-get", "exit 1")
    script(client, "apt-cache", "exit 1")
    assert fetch_cloud_kernel(tmp_path / "cache", DEBIAN) == first


@needs_dpkg
def test_racing_processes_fetch_once(tmp_path: Path, package: Path, client: Path) -> None:
    # The script holds the download until both processes run, so they do race; it notes every call.
    script(client, "apt-get", f"echo x >>{tmp_path}/calls; read -r line <{tmp_path}/gate; cp {package} .")
    os.mkfifo(tmp_path / "gate")
    code = (
        "import sys; from pathlib import Path; from harness.guest.kernel_package import fetch_cloud_kernel;"
        f"print('started', flush=True); print(fetch_cloud_kernel(Path(sys.argv[1]), {DEBIAN!r})[0])"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache")], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "started\n"
    (tmp_path / "gate").write_text("go\n")
    outputs = {racer.communicate(timeout=30)[0] for racer in racers}
    assert len(outputs) == 1
    assert Path(outputs.pop().strip()).read_bytes() == b"kernel"
    assert (tmp_path / "calls").read_text() == "x\n"


@needs_dpkg
@pytest.mark.parametrize(
    ("apt_cache", "apt_get", "said"),
    [
        ("echo 'E: No packages found' >&2; exit 100", "exit 1", r"No packages found\n.*apt-get update"),
        ("echo linux-image-cloud-amd64", "exit 1", r"know no kernel.*apt-get update"),
        (None, "echo 'E: Failed to fetch 404 Not Found' >&2; exit 100", r"404 Not Found\n.*apt-get update"),
        (None, "echo junk >junk.deb", "damaged"),
        (None, "exit 0", "holds no kernel modules"),
    ],
)
def test_a_failed_fetch_says_what_to_do_and_leaves_nothing(
    tmp_path: Path, client: Path, apt_cache: str | None, apt_get: str, said: str
) -> None:
    if apt_cache is not None:
        script(client, "apt-cache", apt_cache)
    script(client, "apt-get", apt_get)
    with pytest.raises(HostError, match=said):
        fetch_cloud_kernel(tmp_path / "cache", DEBIAN)
    assert [path.name for path in (tmp_path / "cache/kernels").iterdir()] == ["linux-image-cloud-amd64.lock"]


def test_without_apt_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(HostError, match=r"apt-cache is not installed.*set guest\.kernel"):
        fetch_cloud_kernel(tmp_path, DEBIAN)


@pytest.mark.parametrize(
    ("os_release", "command"),
    [
        ("ID=fedora\n", "dnf install kernel-core"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install kernel-core"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper install kernel-default"),
        ("ID=arch\n", "pacman -S linux"),
        ("", "install a kernel package"),
    ],
)
def test_other_distributions_get_their_command(tmp_path: Path, os_release: str, command: str) -> None:
    with pytest.raises(HostError, match=f"{command}.*set guest.kernel and guest.modules"):
        fetch_cloud_kernel(tmp_path, os_release)


def test_a_derivative_is_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(HostError, match="apt-cache"):
        fetch_cloud_kernel(tmp_path, "ID=linuxmint\nID_LIKE='ubuntu debian'\n")


def test_depmod_is_found_without_sbin_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (Path("/usr/sbin/depmod").exists() or Path("/sbin/depmod").exists()):
        pytest.skip("depmod is not in an sbin folder here")
    modules = tmp_path / "root/lib/modules/6.1.0"
    (modules / "kernel").mkdir(parents=True)
    ran: list[str] = []

    def run(argv: Sequence[str], advice: str, cwd: Path | None = None) -> str:
        ran.append(argv[0])
        (modules / "modules.dep").write_text("kernel/a.ko:\n")
        return ""

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(kernel_package, "_run", run)
    kernel_package.unpack_packages([], tmp_path / "root")
    assert Path(ran[-1]).is_absolute() and Path(ran[-1]).name == "depmod"
