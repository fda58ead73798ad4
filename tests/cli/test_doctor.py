from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest

from harness.cli import doctor as command
from harness.cli.doctor import render
from harness.doctor import Report
from harness.doctor.collect import collect
from harness.doctor.judge import CHECKS, judge
from harness.doctor.snapshot import HostSnapshot

HOSTS = Path(__file__).parents[1] / "doctor" / "hosts"
NAMES = sorted(folder.name for folder in HOSTS.iterdir())


def report(name: str) -> Report:
    return judge(collect(HOSTS / name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_line_fits_and_every_check_is_named(name: str, width: int) -> None:
    text = render(report(name), width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    assert [check.name for check in CHECKS if check.name not in flat] == []


def test_it_ends_with_the_grade_and_what_is_in_the_way() -> None:
    lines = render(report("passthrough-iommu"), 80).splitlines()
    end = lines[lines.index("best grade here: kvm") :]
    assert end[1] == "in the way of snp: no passthrough: iommu=pt"
    assert end[2].startswith("to do first: ") and "iommu=nopt" in " ".join(end)


def test_a_host_that_reaches_all_has_nothing_in_the_way() -> None:
    assert render(report("genoa"), 80).splitlines()[-1] == "best grade here: svsm"


def test_a_fix_is_said_once() -> None:
    lines = render(report("container"), 80).partition("what would help\n")[2].partition("\n\n")[0].splitlines()
    paragraphs = groupby(lines, lambda line: line.startswith("      "))
    said = [" ".join(" ".join(found).split()) for is_fix, found in paragraphs if is_fix]
    assert sorted(said) == sorted({finding.fix for finding in report("container").findings if finding.fix})


@pytest.mark.parametrize(("name", "status"), [("container", None), (None, 5)])
def test_json_and_the_exit_status(
    name: str | None, status: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def examine(*_: object) -> Report:
        return judge(HostSnapshot()) if name is None else report(name)

    monkeypatch.setattr("harness.cli.doctor.examine", examine)
    try:
        command.doctor(results=Path("results"), output="json")
        ended = None
    except command.typer.Exit as exit_:
        ended = exit_.exit_code
    assert ended == status
    said = json.loads(capsys.readouterr().out)
    assert len(said["findings"]) == len(CHECKS)
    assert said["best"] == ("tcg" if name else None)
    assert {"group", "name", "state", "value", "means", "grades", "blocks", "fix"} == set(said["findings"][0])
