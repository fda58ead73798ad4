from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence.vitals import CpuLook, Look, Pending, ThreadLook, Vitals
from harness.results.vitals import read_vitals, write_vitals

VITALS = Vitals(
    looks=(
        Look(1.0, 0.0, None, (ThreadLook(7, None, "S", 5, None),), 0),
        Look(2.0, 0.1, "running", (ThreadLook(7, 0, "R", 9, 3),), 44, 12,
             (CpuLook(0, 1 << 63, True, False, False, "name+0x1"),), {"exits": 3}),
    ),
    closely=1,
    silence="QEMU did not answer",
    hidden="encrypted",
    pending=(Pending(0, (49,)),),
)  # fmt: skip


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_vitals(tmp_path, VITALS)
    assert read_vitals(tmp_path) == (VITALS, ())


def test_a_boot_without_is_no_loss(tmp_path: Path) -> None:
    assert read_vitals(tmp_path) == (None, ())


@pytest.mark.parametrize("damage", [b"", b"{", b'{"looks": 3}', b"\xff\xff", b"null"])
def test_damage_is_a_loss(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "vitals.json").write_bytes(damage)
    vitals, (loss,) = read_vitals(tmp_path)
    assert vitals is None and str(loss) == "vitals: vitals.json is damaged"
    write_vitals(tmp_path, VITALS)
    (tmp_path / "vitals.json").write_bytes((tmp_path / "vitals.json").read_bytes()[:-9])
    assert read_vitals(tmp_path)[1] == (loss,)
