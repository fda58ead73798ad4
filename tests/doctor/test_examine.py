from __future__ import annotations

import asyncio
import os
from pathlib import Path

from harness.doctor.examine import examine
from harness.doctor.finding import State

from .recorded import finding


def test_without_qemu_everything_else_is_still_said(tmp_path: Path) -> None:
    environment = {**os.environ, "SVSM_HARNESS_QEMU": "no-such-qemu", "XDG_CACHE_HOME": str(tmp_path)}
    report = asyncio.run(examine(environment, tmp_path))
    assert report.best is None
    assert finding(report, "QEMU").state is State.LACKS
    assert "no-such-qemu" in finding(report, "QEMU").value
    assert finding(report, "KVM runs Linux").state is State.UNKNOWN
    assert finding(report, "release").state in (State.OK, State.NOTE)


def test_an_igvm_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    environment = {**os.environ, "SVSM_HARNESS_QEMU": "no-such-qemu", "SVSM_IGVM": str(tmp_path / "gone.igvm")}
    found = finding(asyncio.run(examine(environment, tmp_path)), "IGVM file")
    assert (found.state, "gone.igvm" in found.value) == (State.NOTE, True)
