"""A QEMU that a scenario names, beside that of the machine."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.boot.own_qemu import QemuUnusable, with_qemu
from harness.boot.site import Site
from tests.boot.waiting_qemu import QEMU

pytestmark = [pytest.mark.qemu, pytest.mark.skipif(not QEMU, reason="QEMU is not installed")]


def _script(folder: Path, text: str) -> Path:
    path = folder / "qemu-of-ours"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_none_is_named(site: Site) -> None:
    assert asyncio.run(with_qemu(site, None)) is site


def test_a_path_and_a_name_on_the_path(site: Site, tmp_path: Path) -> None:
    path = _script(tmp_path, f'exec {QEMU} "$@"')
    found = asyncio.run(with_qemu(site, str(path)))
    assert found.capabilities.binary == str(path)
    assert found.capabilities.release == site.capabilities.release
    assert found.memory is site.memory and found.host is site.host
    there = replace(site, environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert asyncio.run(with_qemu(there, path.name)).capabilities.binary == str(path)


def test_one_that_is_not_there_or_cannot_be_run(site: Site, tmp_path: Path) -> None:
    with pytest.raises(QemuUnusable, match=r"machine\.qemu: there is no /none/qemu"):
        asyncio.run(with_qemu(site, "/none/qemu"))
    broken = _script(tmp_path, "echo libslirp.so.0: cannot open shared object file >&2; exit 127")
    with pytest.raises(QemuUnusable, match=r"(?s)machine\.qemu: .*libslirp"):
        asyncio.run(with_qemu(site, str(broken)))
