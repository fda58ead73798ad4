"""The kernel is chosen by what is in it, and every refusal says what to do."""

import os
import struct
from pathlib import Path

import pytest

from harness.errors import HostError, InputError
from harness.guest.kernel import find_kernel, kernel_release, newest_first


def bzimage(release: str = "6.1.0-56-cloud-amd64") -> bytes:
    image = bytearray(0x4000)
    struct.pack_into("<H", image, 0x1FE, 0xAA55)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x3000)
    text = f"{release} (builder@host) #1 SMP\0".encode()
    image[0x3200 : 0x3200 + len(text)] = text
    return bytes(image)


class Machine:
    """A machine with its own /boot and /lib/modules."""

    def __init__(self, root: Path) -> None:
        self.boot, self.roots = root / "boot", (root / "lib/modules", root / "usr/lib/modules")
        self.boot.mkdir()
        self.fetched = 0

    def install(self, release: str, name: str | None = None, modules: bool = True, root: int = 0) -> Path:
        image = self.boot / (name or f"vmlinuz-{release}")
        image.write_bytes(bzimage(release))
        if modules:
            folder = self.roots[root] / release
            folder.mkdir(parents=True)
            (folder / "modules.dep").write_text("")
        return image

    def fetch(self) -> tuple[Path, Path, str]:
        self.fetched += 1
        image = self.boot.parent / "fetched"
        image.write_bytes(bzimage("6.9.9-fetched"))
        return image, self.boot.parent, "fetched package x"

    def find(self, requested: Path | None = None, modules: Path | None = None) -> object:
        return find_kernel(requested, modules, self.fetch, self.boot, self.roots)

    def release(self, requested: Path | None = None, modules: Path | None = None) -> str:
        return find_kernel(requested, modules, self.fetch, self.boot, self.roots).release


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_release_comes_from_the_header() -> None:
    assert kernel_release(bzimage("6.12.3-custom+")) == "6.12.3-custom+"


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"", "shorter"),
        (b"\x7fELF" + bytes(0x400), "no x86 bzImage"),
        (bzimage().replace(b"HdrS", b"Hdrs"), "no x86 bzImage"),
        (bzimage().replace(b"6.1.0-56", b"garbage!"), "names no kernel release"),
        (bzimage()[:0x20E] + b"\0\0" + bzimage()[0x210:], "names no kernel release"),
        (bzimage()[:0x1000], "names no kernel release"),
    ],
)
def test_what_is_no_kernel_is_refused_with_the_reason(image: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        kernel_release(image)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("6.9.0", "6.10.0"),
        ("6.1.0-9-amd64", "6.1.0-56-amd64"),
        ("6.12-rc3", "6.12"),
        ("6.12-rc3", "6.12.0"),
        ("6.12~rc3-amd64", "6.12.1-amd64"),
        ("6.12-rc3", "6.12-rc10"),
        ("6.12", "6.12.1"),
        ("5.15.0-100-generic", "6.1.0-1-generic"),
    ],
)
def test_releases_sort_as_people_count(older: str, newer: str) -> None:
    assert newest_first(older) < newest_first(newer)


def test_the_newest_installed_kernel_is_taken(machine: Machine) -> None:
    machine.install("6.9.0")
    machine.install("6.10.0", root=1)
    assert machine.release() == "6.10.0"
    assert machine.fetched == 0


def test_the_name_of_the_file_says_nothing(machine: Machine) -> None:
    machine.install("6.1.0", name="vmlinuz-9.9.9")
    machine.install("6.2.0", name="vmlinuz-0.0.1")
    assert machine.release() == "6.2.0"


def test_a_kernel_beside_its_modules_is_found(machine: Machine) -> None:
    image = machine.install("6.3.0")
    image.rename(machine.roots[0] / "6.3.0/vmlinuz")
    assert machine.release() == "6.3.0"


def test_a_kernel_without_modules_or_sense_is_passed_over(machine: Machine) -> None:
    machine.install("6.10.0", modules=False)
    (machine.boot / "vmlinuz-broken").write_bytes(b"nonsense")
    (machine.boot / "vmlinuz-dangling").symlink_to("nowhere")
    machine.install("6.1.0")
    assert machine.release() == "6.1.0"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_installed_kernel_is_passed_over(machine: Machine) -> None:
    machine.install("6.10.0").chmod(0)
    machine.install("6.1.0")
    assert machine.release() == "6.1.0"


def test_without_any_one_is_fetched(machine: Machine) -> None:
    assert machine.release() == "6.9.9-fetched"
    assert machine.fetched == 1


def test_a_damaged_fetched_kernel_names_what_to_delete(machine: Machine) -> None:
    image = machine.boot.parent / "k/boot/vmlinuz"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    with pytest.raises(HostError, match=rf"damaged.*delete {machine.boot.parent}/k"):
        find_kernel(None, None, lambda: (image, machine.boot, "x"), machine.boot, machine.roots)


def test_the_scenarios_kernel_comes_first(machine: Machine, tmp_path: Path) -> None:
    machine.install("6.10.0")
    own = tmp_path / "bzImage"
    own.write_bytes(bzimage("5.0.0-mine"))
    kernel = find_kernel(own, None, machine.fetch, machine.boot, machine.roots)
    assert (kernel.release, kernel.modules_dir, kernel.image) == ("5.0.0-mine", None, own)


@pytest.mark.parametrize("below", ["", "5.0.0-mine", "lib/modules/5.0.0-mine", "usr/lib/modules/5.0.0-mine"])
def test_modules_may_be_named_by_any_of_their_folders(machine: Machine, tmp_path: Path, below: str) -> None:
    own, given = tmp_path / "bzImage", tmp_path / "mods"
    own.write_bytes(bzimage("5.0.0-mine"))
    (given / below).mkdir(parents=True)
    (given / below / "modules.dep").write_text("")
    kernel = find_kernel(own, given, machine.fetch, machine.boot, machine.roots)
    assert kernel.modules_dir == given / below


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b"text"), r"cannot be booted.*give a bzImage"),
        (lambda path: path.mkdir(), "cannot be booted"),
    ],
)
def test_a_bad_kernel_of_the_scenario_is_the_authors_error(machine: Machine, tmp_path: Path, make, said: str) -> None:  # type: ignore[no-untyped-def]
    own = tmp_path / "bzImage"
    make(own)
    with pytest.raises(InputError, match=f"guest.kernel: {own}.*{said}"):
        machine.release(own)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_kernel_of_the_scenario_names_the_fix(machine: Machine) -> None:
    own = machine.install("6.1.0")
    own.chmod(0)
    with pytest.raises(InputError, match="sudo install -m 644"):
        machine.release(own)


def test_modules_without_a_kernel_are_refused(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"guest\.modules .* needs guest\.kernel"):
        machine.release(None, tmp_path)


def test_modules_of_another_release_are_refused(machine: Machine, tmp_path: Path) -> None:
    own = tmp_path / "bzImage"
    own.write_bytes(bzimage("5.0.0-mine"))
    with pytest.raises(InputError, match=r"no modules\.dep for 5\.0\.0-mine"):
        machine.release(own, tmp_path)
