"""Holding a scenario's demand against a host."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.boot.demand import HostFound, demanded_image, require_host
from harness.checks import all_checks
from harness.errors import InputError, Unsupported
from harness.scenario.demand import HostDemand
from harness.scenario.load import load_scenario
from harness.scenario.setting import Variant

HERE = HostFound("milan", "7.2.0-svsm+", "planes-v1")


def bzimage(path: Path, release: str) -> str:
    # Linux Documentation/arch/x86/boot.rst: boot flag, magic, and where the version is.
    image = bytearray(4096)
    struct.pack_into("<H", image, 0x1FE, 0xAA55)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x300)
    image[0x500 : 0x500 + len(release) + 3] = f"{release} (x".encode()
    path.write_bytes(image)
    return str(path)


@pytest.mark.parametrize(
    "demand",
    [
        None,
        HostDemand(),
        HostDemand(kernel="7.2.0-svsm+"),
        HostDemand(kernel="7.2.*-svsm*", flavour="planes-v1"),
    ],
)
def test_a_host_that_fits(demand: HostDemand | None) -> None:
    require_host(demand, HERE)


@pytest.mark.parametrize(
    ("demand", "host", "said"),
    [
        (HostDemand(kernel="7.3.*"), HERE, r"host milan runs kernel 7\.2\.0-svsm\+, the scenario asks for 7\.3\.\*"),
        (HostDemand(kernel="7.2.0"), HERE, "boot that kernel there"),
        (HostDemand(flavour="roy"), HERE, "host milan has KVM of flavour planes-v1; the scenario asks for roy"),
        (HostDemand(flavour="tom"), HostFound("m", "6", None, "no guest has said"), "undecided: no guest has said"),
    ],
)
def test_another_host_is_unsupported_and_both_are_named(demand: HostDemand, host: HostFound, said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        require_host(demand, host)


def test_the_release_of_an_image_is_what_counts(tmp_path: Path) -> None:
    require_host(HostDemand(kernel=bzimage(tmp_path / "same", "7.2.0-svsm+")), HERE)
    (tmp_path / "vmlinux").write_bytes(b"\x7fELF" + b"\0" * 70_000 + b"Linux version 7.2.0-svsm+ (me)")
    require_host(HostDemand(kernel=str(tmp_path / "vmlinux")), HERE)
    other = HostDemand(kernel=bzimage(tmp_path / "other", "7.2.1"))
    with pytest.raises(Unsupported, match=r"asks for 7\.2\.1 \(boot it there, or use --host virtual\)"):
        require_host(other, HERE)
    (tmp_path / "text").write_text("no kernel")
    with pytest.raises(InputError, match=r"host\.kernel: .*text"):
        require_host(HostDemand(kernel=str(tmp_path / "text")), HERE)


def variant(kernel: str) -> Variant:
    text = f"name: a\nabout: b.\nhost: {{kernel: {kernel}}}\n"
    return load_scenario(text, "a.yaml", checks=all_checks(), set_values={}, environment={}).variants[0]


def test_one_run_boots_one_kernel() -> None:
    assert demanded_image([variant("./a"), variant("./a"), variant("7.2.*")]) == ("./a", None)
    assert demanded_image([variant("7.2.*")]) == (None, None)
    with pytest.raises(InputError, match=r"several kernels: .*asks for \./a; .*asks for \./b; choose by --only"):
        demanded_image([variant("./a"), variant("./b")])
