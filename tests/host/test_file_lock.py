from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.host.file_lock import try_lock


def test_one_at_a_time_has_it_and_closing_frees_it(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    assert try_lock(tmp_path / "other") is not None
    os.close(held)
    assert try_lock(tmp_path / "lock") is not None


@pytest.mark.parametrize("passed", [True, False])
def test_a_child_holds_it_only_where_it_was_passed_on(tmp_path: Path, passed: bool) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    words = [sys.executable, "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=(held,) if passed else ()) as child:
        os.close(held)
        assert (try_lock(tmp_path / "lock") is None) == passed
        child.communicate(b"\n")
    if passed:
        assert try_lock(tmp_path / "lock") is not None


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="none/lock cannot be locked: No such file"):
        try_lock(tmp_path / "none" / "lock")
