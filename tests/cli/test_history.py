from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_results import ABOUT, boot_line, make_run

from harness.checks.base import Status
from harness.cli.history import history
from harness.errors import InputError


def _nights(results: Path, *bad: int) -> list[str]:
    names = []
    for day, count in enumerate(bad, start=1):
        lines = [boot_line(Status.FAIL if number < count else Status.PASS) for number in range(30)]
        about = {**ABOUT, "started_utc": f"2026-11-{day:02}T01:00:00+00:00"}
        names.append(make_run(results, lines, about).folder.name)
    return names


def test_the_overview_names_the_night_of_the_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = _nights(tmp_path, 0, 0, 0, 0, 9, 8)
    history(results=tmp_path, output="text")
    said = capsys.readouterr().out
    assert f"failure rate 0% before {runs[4]}, 28% since" in said
    assert "sure: calls on model" in said
    assert "17 of 180 failed" in said
    assert "baselines: none" in said
    assert [line.split()[:4] for line in said.splitlines() if line.endswith("guest-panic: x")] == [
        [runs[4], runs[5], "2", "17"]
    ]


def test_night_by_night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = _nights(tmp_path, 0, 3)
    history(results=tmp_path, only=["calls"], output="text")
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("2026")]
    assert [row[:4] for row in rows[:2]] == [[runs[0], "30", "0", "0%"], [runs[1], "30", "3", "10%"]]
    assert "500" in rows[0]  # the median until ready, in ms


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _nights(tmp_path, 0, 1)
    history(results=tmp_path, output="json")
    found = json.loads(capsys.readouterr().out)
    assert [night["bad"] for night in found["series"][0]["nights"]] == [0, 1]


def test_a_baseline_is_set_and_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = _nights(tmp_path, 0, 1)
    history([runs[0]], results=tmp_path, set_baseline="main")
    assert "baseline main: 30 boots of 1 scenarios" in capsys.readouterr().out
    history([runs[1]], results=tmp_path, set_baseline="main")
    assert f"before: {runs[0]}" in capsys.readouterr().out
    assert json.loads((tmp_path / "baselines" / "main.json").read_bytes())["runs"] == [runs[1]]


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        history(results=tmp_path / "none")
    with pytest.raises(InputError, match="no boot of such"):
        history(results=tmp_path)
    with pytest.raises(InputError, match="--set-baseline NAME"):
        history(["latest"], results=tmp_path)
