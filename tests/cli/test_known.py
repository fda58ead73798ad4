"""Known issues as a person meets them, on the VMPL model whose guest panics in every boot or in none."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from known.sample_issues import issue
from sample_campaign import lines_of

from harness.checks.base import Status
from harness.cli.known import find_known, said_of, statuses_of
from harness.errors import ScenarioError
from harness.known.apply import apply_known
from harness.known.entries import KnownIssues
from harness.results.store import create_run

from .command import Bench

RATED = Path(__file__).parents[1] / "compare" / "rated.yaml"
ENTRY = """\
- id: model-panic
  signature: "{signature}"
  scope: {{scenarios: [rated], platforms: [model], flavours: [roy]}}
  max_rate: {max_rate}
  expires: "{expires}"
  link: https://example.org/1
  note: The fault is put in on purpose.
"""
PANIC = "guest-panic: Kernel panic - not syncing: vmpl_model fault guest-panic"


def _file(bench: Bench, max_rate: str = "95%", expires: str = "2999-01-01", signature: str = PANIC) -> Path:
    path = bench.folder / "known.yaml"
    path.write_text(ENTRY.format(max_rate=max_rate, expires=expires, signature=signature))
    return path


@pytest.mark.qemu
def test_a_known_failure_is_counted_aloud_and_does_not_fail_a_run(bench: Bench) -> None:
    words = ("run", RATED, "--set", "rate=1")
    assert bench.command(*words).status == 1
    done = bench.command(*words, "--known", _file(bench))
    assert done.status == 0
    assert "FAIL" in done.out
    assert "known issue model-panic: " in done.out
    assert "known issue model-panic: 1 of 1 boots, accepted up to 95% until 2999-01-01" in done.out
    document = bench.command(*words, "--known", _file(bench), "--format", "json").json
    assert (document["exit_status"], document["known"]["issues"][0]["bad"]) == (0, 1)
    assert list(document["known"]["boots"].values()) == ["model-panic"]
    other = bench.command(*words, "--known", _file(bench, signature="guest-panic: something else"))
    assert other.status == 1


@pytest.mark.qemu
def test_a_campaign_counts_known_failures_apart_and_fails_for_a_worse_rate(bench: Bench) -> None:
    words = ("stability", RATED, "--set", "rate=1", "--boots", "8", "-n", "2")
    known = bench.command(*words, "--known", _file(bench))
    assert known.status == 0
    assert "0 of 8 boots failed: 0%" in known.out
    assert "8 more failed as known" in known.out
    assert "known issue model-panic: 8 of 8 boots" in known.out
    worse = bench.command(*words, "--known", _file(bench, max_rate="10%"))
    assert worse.status == 1
    assert "WORSE than that" in worse.out


@pytest.mark.qemu
def test_an_expired_entry_fails_even_a_good_run(bench: Bench) -> None:
    path = _file(bench, expires="2026-01-01")
    for command in (("run", RATED), ("stability", RATED, "--boots", "2")):
        done = bench.command(*command, "--known", path)
        assert done.status == 1
        assert f"{path}:1: the known issue model-panic expired on 2026-01-01" in done.out


@pytest.mark.qemu
def test_a_mistake_in_the_file_is_said_before_anything_boots(bench: Bench) -> None:
    path = _file(bench)
    path.write_text(path.read_text().replace("note:", "notes:"))
    done = bench.command("run", RATED, "--known", path)
    assert (done.status, done.out) == (2, "")
    assert f"{path}:7:3: unknown key 'notes'" in done.err
    assert not bench.results.exists()


def test_the_file_beside_the_scenarios_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_known(None).entries == ()
    path = tmp_path / "scenarios" / "known_issues.yaml"
    path.parent.mkdir()
    path.write_text(ENTRY.format(signature=PANIC, max_rate="5%", expires="2999-01-01"))
    assert [entry.id for entry in find_known(None).entries] == ["model-panic"]
    path.write_text("- nothing\n")
    with pytest.raises(ScenarioError, match=r"known_issues\.yaml:1:3"):
        find_known(None)


def test_what_is_excused_passes_and_says_why(tmp_path: Path) -> None:
    lines = lines_of("F..")
    run = create_run(tmp_path, {})
    today = datetime.date(2026, 12, 1)
    report = apply_known(run, lines, KnownIssues("k", (issue(),), (1,)), today)
    assert statuses_of(lines, report) == [Status.PASS] * 3
    assert said_of(lines, report)[0].reason == "known issue panic-x: outcome: because"
    expired = apply_known(run, lines, KnownIssues("k", (issue(expires="2026-01-01"),), (1,)), today)
    assert statuses_of(lines, expired) == [Status.FAIL, Status.PASS, Status.PASS, Status.FAIL]
    assert said_of(lines, expired) == lines
