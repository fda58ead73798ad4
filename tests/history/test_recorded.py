from __future__ import annotations

from pathlib import Path

import pytest
from sample_results import ABOUT, boot_line, make_run

from harness.errors import HostError
from harness.history.recorded import read_run


def test_a_run_is_read_whole(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line(), boot_line()])
    (run.folder / "boots" / "0003").mkdir()
    found = read_run(run)
    assert (found.name, found.started_utc, len(found.lines), found.unfinished) == (
        run.folder.name,
        ABOUT["started_utc"],
        2,
        1,
    )
    assert found.command == ("svsm-harness", "run", "scenarios/vmpl")
    assert found.harness == "0.1.0 (0123456789ab)"
    assert found.host == "AMD EPYC, 2 CPUs, 8 GiB; Linux 6.12; Debian"
    assert (found.goal, found.turns) == (None, 1)


def test_a_run_of_nothing_and_one_that_says_little(tmp_path: Path) -> None:
    run = make_run(tmp_path, [], {})
    (run.folder / "boots.jsonl").unlink()
    found = read_run(run)
    assert (found.lines, found.command, found.harness, found.host) == ((), (), "not recorded", "not recorded")


def test_a_damaged_run_is_said_to_be(tmp_path: Path) -> None:
    run = make_run(tmp_path, [])
    (run.folder / "run.json").write_text("{")
    with pytest.raises(HostError, match=r"run\.json"):
        read_run(run)
