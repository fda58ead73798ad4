from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.boot.parts import parts_of
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.qemu.command import Accel
from harness.scenario.model import Guest, Machine, Payload, Platform
from harness.scenario.setting import Setting, Variant
from tests.boot.waiting_qemu import QEMU

pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def _planned(qemu: str | None, guest: Guest | None, payload: Payload | None) -> PlannedBoot:
    setting = Setting(Machine(qemu=qemu), guest, payload, (), (), 60.0, None)
    variant = Variant("x", "", (), "x.yaml", "-", "x", (), ((Platform.TCG, setting),))
    return PlannedBoot(variant, Platform.TCG, setting, Accel.TCG)


def test_a_payload_is_made_of_its_image_and_the_machines_qemu(site: Site, tmp_path: Path) -> None:
    image = tmp_path / "image.elf"
    image.write_bytes(b"\x7fELF")
    parts = asyncio.run(parts_of(_planned(None, None, Payload(image=str(image))), site))
    assert parts == {
        "QEMU": site.capabilities.release,
        "qemu binary": site.capabilities.binary,
        f"payload {image}": "3bdbb4fe8397cd2b842430b39ccff01a8663c751945ef5e9a09e267fb8b1d359",
    }


def test_the_qemu_is_the_one_that_the_scenario_names(site: Site, tmp_path: Path) -> None:
    script = tmp_path / "qemu"
    script.write_text(f'#!/bin/sh\nexec {QEMU} "$@"\n')
    script.chmod(0o755)
    parts = asyncio.run(parts_of(_planned(str(script), Guest(), None), site))
    assert parts["qemu binary"] == str(script)
    assert "sha256:" in parts["kernel"] and "initramfs" in parts
