"""A hurt host is remembered until its kernel is another one."""

from __future__ import annotations

from pathlib import Path

from harness.boot.hurt_host import note_hurt, read_hurt


def test_a_note_holds_for_one_life_of_the_kernel(tmp_path: Path) -> None:
    assert read_hurt(tmp_path, "1be2") is None
    note_hurt(tmp_path, "lab1", "1be2", "its kernel was hurt (taint - to D)", "run/1")
    said = read_hurt(tmp_path, "1be2")
    assert said is not None
    assert all(word in said for word in ("lab1", "run/1", "taint - to D", "reboot"))
    assert read_hurt(tmp_path, "another") is None


def test_the_first_hurt_is_the_one_that_is_named(tmp_path: Path) -> None:
    note_hurt(tmp_path, "lab1", "1be2", "first", "run/1")
    note_hurt(tmp_path, "lab1", "1be2", "second", "run/2")
    assert "first" in (read_hurt(tmp_path, "1be2") or "")


def test_a_damaged_note_is_still_a_warning(tmp_path: Path) -> None:
    note_hurt(tmp_path, "lab1", "1be2", "first", "run/1")
    (tmp_path / "hurt" / "1be2.json").write_text("{")
    assert "reboot" in (read_hurt(tmp_path, "1be2") or "")
