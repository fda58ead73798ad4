"""``svsm-harness selftest --hangs``: its tables, and every hang under QEMU."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.boot.hang_trials import Answered
from harness.classify.hang import Hang
from harness.classify.kinds import HangKind, Sure
from harness.cli.hangs import confusion_lines, hangs_document, trial_lines

SPIN = Hang(HangKind.SPIN, Sure.LIKELY, ("vCPU 0 used 99%",), "VMPL0")
IDLE = Hang(HangKind.IDLE, Sure.POSSIBLE, ("nothing moved",))
ANSWERS = [
    Answered("svsm-spin, roy", HangKind.SPIN, SPIN, IDLE, "boots/0001"),
    Answered("init sleeps", HangKind.IDLE, None, None, None, "host: no QEMU"),
]


def test_a_line_for_each_hang() -> None:
    assert [re.split(" {2,}", line) for line in trial_lines(ANSWERS)[1:]] == [
        ["svsm-spin, roy", "spin", "spin VMPL0 (likely)", "idle (possible)"],
        ["init sleeps", "idle", "not booted", "not booted"],
    ]


def test_the_table_has_a_column_for_each_answer() -> None:
    head, spin, idle = confusion_lines(ANSWERS, unseen=True)
    assert len(head.split()) == len(HangKind) == len(spin.split()) - 1
    assert spin.split()[1:].index("1") == list(HangKind).index(HangKind.IDLE)
    assert set(idle.split()[1:]) == {"."}


def test_the_document_has_the_reasons() -> None:
    first, second = json.loads(json.dumps(hangs_document(ANSWERS, ["x"])))["trials"]
    assert first["answered"] == {"kind": "spin", "where": "VMPL0", "sure": "likely", "reasons": ["vCPU 0 used 99%"]}
    assert first["as_if_encrypted"]["kind"] == "idle"
    assert (second["answered"], second["why"]) == (None, "host: no QEMU")


def test_a_name_that_no_trial_has(program: Path, tmp_path: Path) -> None:
    argv = [str(program), "selftest", "--hangs", "--only", "nonsense", "--results", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no trial has 'nonsense' in its name" in done.stderr


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_hang_is_told(site: object, program: Path, tmp_path: Path) -> None:
    argv = [str(program), "selftest", "--hangs", "-n", "2", "--results", str(tmp_path), "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert (done.returncode, document["problems"]) == (0, [])
    assert {trial["answered"]["kind"] for trial in document["trials"]} == set(HangKind) - {HangKind.UNKNOWN}
    # The same record gives the same answer again.
    again = subprocess.run(
        [str(program), "replay", "--results", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert again.stdout.splitlines()[-1] == f"{len(document['trials'])} boots judged again, 0 different"
