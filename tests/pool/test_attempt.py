import json
from dataclasses import replace
from pathlib import Path

import pytest
from sample_campaign import lines_of

from harness.checks.base import Status
from harness.pool.attempt import judge, make_attempt
from harness.pool.jobs import Job
from harness.pool.journal import End, read_journal
from harness.pool.lease import Leases
from harness.results.store import Run

from .fake import task_in


def document(status: str, reason: str) -> str:
    return json.dumps({"results": "r/1", "boots": [{"status": "PASS"}, {"status": status, "reason": reason}]})


LOST = "host a was lost while copying: broken"


@pytest.mark.parametrize(
    ("status", "out", "err", "expected"),
    [
        (0, document("PASS", ""), "", (End.DONE, "r/1", "", False)),
        (1, document("FAIL", "the guest was lost while it slept"), "", (End.DONE, "r/1", "", False)),
        (3, document("INCONCLUSIVE", "the trace lost events"), "", (End.DONE, "r/1", "", False)),
        (3, document("INCONCLUSIVE", LOST), "", (End.LOST, "r/1", LOST, False)),
        (1, document("INCONCLUSIVE", LOST), "", (End.LOST, "r/1", LOST, False)),
        (3, document("INCONCLUSIVE", "host a was hurt by x"), "", (End.LOST, "r/1", "host a was hurt by x", True)),
        (4, "", "host a cannot be reached: no", (End.LOST, None, "host a cannot be reached: no", False)),
        (4, "", "QEMU did not start", (End.DONE, None, "", False)),
        (2, "", "unknown key", (End.DONE, None, "", False)),
        (-9, '{"resu', "", (End.LOST, None, "the command was ended by signal 9", False)),
        (130, document("PASS", ""), "", (End.LOST, "r/1", "the command was interrupted", False)),
    ],
)
def test_what_became_of_a_command(status: int, out: str, err: str, expected: tuple[object, ...]) -> None:
    assert judge(status, out, err) == expected


def test_the_boots_of_a_campaign_are_read_from_its_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    out = json.dumps({"results": str(tmp_path), "boots": 2})
    assert judge(0, out, "") == (End.DONE, str(tmp_path), "", False)
    for line in lines_of(".?"):
        run.append(replace(line, reason=f"host: {LOST}" if line.status is Status.INCONCLUSIVE else line.reason))
    assert judge(3, out, "") == (End.LOST, str(tmp_path), f"host: {LOST}", False)


def test_an_attempt_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    make = task_in(tmp_path, {"a": 1})
    ended = make_attempt(make(Job("j", ("run", "pass", "0", "j")), 1, "a"))
    assert (ended.end, ended.status, ended.run, ended.fence) == (End.DONE, 0, "r/j", 1)
    assert [line.end for line in read_journal(tmp_path / "journal.jsonl")] == [End.BEGUN, End.DONE]


def test_a_hurt_host_is_quarantined_and_given_to_nobody(tmp_path: Path) -> None:
    make = task_in(tmp_path, {"a": 1})
    assert make_attempt(make(Job("j", ("run", "hurt", "0", "j")), 1, "a")).end is End.LOST
    assert "quarantined: host a was hurt" in Leases(tmp_path / "leases").state("a", 1).blocked
    refused = make_attempt(make(Job("k", ("run", "pass", "0", "k")), 1, "a"))
    assert refused.end is End.LOST and "is given to nobody" in refused.why
    assert [line.job for line in read_journal(tmp_path / "journal.jsonl")] == ["j", "j", "k"]
