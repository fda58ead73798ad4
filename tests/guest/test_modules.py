"""The closure has every dependency before its user, from either depmod."""

import gzip
import lzma
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HostError
from harness.guest.modules import MissingModules, ModuleTree, Wanted, decompress, module_name

# kmod writes dependencies so that loading from the right works; busybox's depmod writes another order.
KMOD = """\
kernel/net/virtio_net.ko.xz: kernel/net/net_failover.ko.xz kernel/core/failover.ko.xz kernel/virtio/virtio-ring.ko.xz
kernel/net/net_failover.ko.xz: kernel/core/failover.ko.xz
kernel/core/failover.ko.xz:
kernel/virtio/virtio-ring.ko.xz:
kernel/char/virtio-rng.ko.xz: kernel/virtio/virtio-ring.ko.xz
"""
BUSYBOX = KMOD.replace(
    "kernel/net/net_failover.ko.xz kernel/core/failover.ko.xz",
    "kernel/core/failover.ko.xz kernel/net/net_failover.ko.xz",
)
BUILTIN = "kernel/drivers/input/serio/i8042.ko\nkernel/drivers/input/keyboard/atkbd.ko\n"


def want(*names: str) -> list[Wanted]:
    return [Wanted(name, "for the test") for name in names]


@pytest.mark.parametrize("text", [KMOD, BUSYBOX])
def test_dependencies_come_first_and_once(text: str) -> None:
    closure = ModuleTree.parse(text, BUILTIN).closure(want("virtio_net", "virtio_rng"), "here")
    names = [module_name(path) for path in closure]
    assert sorted(names) == ["failover", "net_failover", "virtio_net", "virtio_ring", "virtio_rng"]
    assert names.index("failover") < names.index("net_failover") < names.index("virtio_net")
    assert names.index("virtio_ring") < names.index("virtio_net")


@pytest.mark.parametrize("name", ["virtio-rng", "virtio_rng"])
def test_dashes_and_underscores_are_alike(name: str) -> None:
    assert ModuleTree.parse(KMOD, "").closure(want(name), "here")[-1].endswith("virtio-rng.ko.xz")


def test_what_is_built_in_needs_no_file() -> None:
    assert ModuleTree.parse(KMOD, BUILTIN).closure(want("i8042", "atkbd"), "here") == ()


def test_all_that_is_missing_is_named() -> None:
    with pytest.raises(MissingModules, match=r"/lib/modules/6\.1.*evdev, button") as caught:
        ModuleTree.parse(KMOD, BUILTIN).closure(want("evdev", "virtio_net", "button"), "/lib/modules/6.1")
    assert caught.value.names == ("evdev", "button")


def test_what_is_optional_may_be_missing() -> None:
    assert ModuleTree.parse(KMOD, "").closure([Wanted("snd", "nice", required=False)], "here") == ()


def test_lines_that_are_no_entry_are_ignored() -> None:
    assert ModuleTree.parse("# comment\n\nnonsense\nbroken: line\n", "").depends == {}


def test_a_cycle_ends() -> None:
    text = "a.ko: b.ko\nb.ko: a.ko\n"
    assert sorted(ModuleTree.parse(text, "").closure(want("a"), "here")) == ["a.ko", "b.ko"]


@given(st.lists(st.lists(st.integers(0, 30), max_size=6), min_size=1, max_size=30))
def test_any_acyclic_tree_comes_out_in_load_order(rows: list[list[int]]) -> None:
    # Module n depends on lower numbers only.
    depends = {n: sorted({d for d in row if d < n}) for n, row in enumerate(rows)}
    text = "".join(f"m{n}.ko: {' '.join(f'm{d}.ko' for d in needed)}\n" for n, needed in depends.items())
    closure = ModuleTree.parse(text, "").closure(want(f"m{len(rows) - 1}"), "here")
    seen: set[str] = set()
    for path in closure:
        assert {f"m{d}.ko" for d in depends[int(path[1:-3])]} <= seen
        assert path not in seen
        seen.add(path)


def test_modules_are_decompressed_by_their_suffix() -> None:
    assert decompress("m.ko", b"elf") == b"elf"
    assert decompress("m.ko.gz", gzip.compress(b"elf")) == b"elf"
    assert decompress("m.ko.xz", lzma.compress(b"elf")) == b"elf"


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd(1) is not installed")
def test_zstd_is_decompressed_by_the_tool() -> None:
    packed = subprocess.run(["zstd", "-cq"], input=b"elf", capture_output=True, check=True).stdout
    assert decompress("m.ko.zst", packed) == b"elf"


def test_without_zstd_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(HostError, match="install the package zstd"):
        decompress("m.ko.zst", b"")


@pytest.mark.parametrize("path", ["m.ko.gz", "m.ko.xz", "m.ko.zst"])
def test_damage_names_the_file(path: str) -> None:
    if path.endswith("zst") and shutil.which("zstd") is None:
        pytest.skip("zstd(1) is not installed")
    with pytest.raises(HostError, match=r"m\.ko\.\w+ is damaged"):
        decompress(path, b"this is not compressed")


@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_a_cut_file_is_damaged(suffix: str) -> None:
    packed = (gzip.compress if suffix == "gz" else lzma.compress)(bytes(100_000))
    with pytest.raises(HostError, match="is damaged"):
        decompress(f"m.ko.{suffix}", packed[:-10])
