from __future__ import annotations

import json
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


def test_what_is_known_was_written_when_the_run_was_made(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line()])
    issue = {"id": "cx16", "bad": 2, "told": 40, "worse": False, "expires": "2027-01-01", "link": "https://x.invalid/1"}
    document = {
        "issues": [issue, {**issue, "id": "more", "worse": True}],
        "boots": {"boots/0001": "cx16"},
        "expired": ["old"],
    }
    (run.folder / "known.json").write_text(json.dumps(document))
    found = read_run(run)
    assert found.issue_of(found.lines[0]) == "cx16"
    assert (
        found.known.sentences[0] == "known issue cx16: 2 of 40 boots, accepted until 2027-01-01 (https://x.invalid/1)"
    )
    assert found.known.wrong == ("old", "known issue more: 2 of 40 boots: more than what was accepted")


@pytest.mark.parametrize("text", ["", "[]", '{"issues": 1}', '{"boots": {}, "issues": [{}], "expired": []}'])
def test_a_damaged_list_excuses_nothing(tmp_path: Path, text: str) -> None:
    run = make_run(tmp_path, [boot_line()])
    (run.folder / "known.json").write_text(text)
    found = read_run(run)
    assert found.issue_of(found.lines[0]) is None
