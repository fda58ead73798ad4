from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sample_campaign import boot_line

from harness.qemu.command import Accel
from harness.results.record import BootLine
from harness.results.store import Run
from harness.scenario.model import Platform
from harness.stability.goal import Goal
from harness.stability.plan import CampaignPlan, _Entry
from harness.stability.time_left import Earlier, recorded_earlier, time_left_s


def _plan(*ids: str, platform: Platform = Platform.MODEL) -> CampaignPlan:
    entries = (_Entry("s", "about", "s.yaml", id_, "s", platform, Accel.TCG, {}, {}) for id_ in ids)
    return CampaignPlan(Goal(10, None, 0.95), tuple(entries))


def _line(variant: str, duration_s: float, scenario: str = "s") -> BootLine:
    line = boot_line(1)
    return replace(line, identity=replace(line.identity, scenario=scenario, variant=variant), duration_s=duration_s)


def _record(results: Path, name: str, lines: Sequence[BootLine]) -> Run:
    run = Run(results / name)
    run.folder.mkdir(parents=True)
    for line in lines:
        run.append(line)
    return run


def test_it_finds_the_boots_of_its_variants(tmp_path: Path) -> None:
    _record(tmp_path, "20260101-1", [_line("s[v=1]", 2.0), _line("s[v=2]", 10.0), _line("other", 99.0, "other")])
    _record(tmp_path, "20260102-1", [_line("s[v=1]", 4.0), _line("s[v=3]", 50.0)])
    (tmp_path / "latest").symlink_to("20260102-1")
    (tmp_path / "20260103-1").mkdir()  # no boot has ended there
    # Variants take turns, so the frequent one weighs no more: (3 + 10) / 2.
    assert recorded_earlier(tmp_path, _plan("v=1", "v=2")) == Earlier(3, 6.5)
    assert recorded_earlier(tmp_path, _plan("v=1")) == Earlier(2, 3.0)
    # Nothing of this one: what the scenario's others took is better than nothing.
    assert recorded_earlier(tmp_path, _plan("v=9")) == Earlier(4, 16.5)
    assert recorded_earlier(tmp_path, _plan("v=1", platform=Platform.TCG)) is None


def test_what_was_never_booted_took_no_time(tmp_path: Path) -> None:
    _record(tmp_path, "20260101-1", [replace(_line("s[v=1]", 0.0), outcome=None, folder=None)])
    assert recorded_earlier(tmp_path, _plan("v=1")) is None
    assert recorded_earlier(tmp_path / "nothing", _plan("v=1")) is None


def test_a_run_of_another_version_is_passed_over(tmp_path: Path) -> None:
    run = _record(tmp_path, "20260102-1", [])
    (run.folder / "boots.jsonl").write_text('{"identity": 5}\n')
    _record(tmp_path, "20260101-1", [_line("s[v=1]", 2.0)])
    assert recorded_earlier(tmp_path, _plan("v=1")) == Earlier(1, 2.0)


def test_the_newest_boots_count(tmp_path: Path) -> None:
    _record(tmp_path, "20260101-1", [_line("s[v=1]", 100.0)])
    _record(tmp_path, "20260102-1", [_line("s[v=1]", 1.0)] * 1000)
    assert recorded_earlier(tmp_path, _plan("v=1")) == Earlier(1000, 1.0)


@pytest.mark.parametrize(
    ("made", "left", "elapsed_s", "expected_s", "left_s"),
    [
        (0, 10, 3.0, None, None),
        (0, 10, 0.0, 2.0, 20.0),
        (0, 10, 3.0, 2.0, 17.0),
        (0, 1, 3.0, 2.0, 0.0),  # the only one takes longer than ever
        (5, 10, 20.0, None, 40.0),
        (4, 10, 16.0, 2.0, 30.0),  # halfway between 2 s and 4 s a boot
        (4, 0, 16.0, 2.0, 0.0),
    ],
)
def test_earlier_boots_and_own_ones_are_blended(
    made: int, left: int, elapsed_s: float, expected_s: float | None, left_s: float | None
) -> None:
    assert time_left_s(made, left, elapsed_s, expected_s) == left_s


def test_its_own_boots_outweigh_what_was_expected() -> None:
    expected = time_left_s(100, 100, 400.0, 1.0)
    assert expected is not None and 380.0 < expected < 400.0
