"""The package ``harness.checks``: it finds its own checks."""

from __future__ import annotations

from pathlib import Path

import harness.checks
from harness.checks import all_checks
from harness.checks.base import Check

NO_CHECKS = {"__init__", "base", "judge", "trace_check"}


def test_every_file_of_the_package_adds_one_check() -> None:
    files = {path.stem for path in Path(harness.checks.__path__[0]).glob("*.py")} - NO_CHECKS
    found = {check.__module__.rpartition(".")[2] for check in all_checks().values()}
    assert found == files
    assert len(all_checks()) == len(files)


def test_a_check_is_found_by_the_key_of_its_file() -> None:
    for key, check in all_checks().items():
        assert check.key == key == check.__module__.rpartition(".")[2]
        assert issubclass(check, Check)


def test_what_checks_rest_on_is_what_can_be_lost() -> None:
    # A name that no Loss ever has would switch the guard off without a word.
    root = Path(harness.checks.__path__[0]).parent
    losses = "".join(path.read_text() for path in root.rglob("*.py") if "checks" not in path.parts)
    for key, check in all_checks().items():
        for part in check.rests_on:
            assert f'"{part}"' in losses, f"{key} rests on {part!r}, which nothing can lose"
