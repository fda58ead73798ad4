from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sample_campaign import lines_of

from harness.checks import all_checks
from harness.cli import boots_loop as subject
from harness.errors import HostError, InputError
from harness.qemu.command import Accel
from harness.results.store import create_run
from harness.scenario.load import load_scenario
from harness.scenario.model import Platform
from harness.scenario.stored import dump_setting
from harness.stability.account import count_boots
from harness.stability.goal import Goal
from harness.stability.plan import CampaignPlan, _Entry


@pytest.fixture
def ongoing(tmp_path: Path) -> subject.Ongoing:
    goal = Goal(3, None, 0.95)
    entry = _Entry("s", "about", "s.yaml", "-", "s", Platform.MODEL, Accel.TCG, {}, {})
    return subject.Ongoing(create_run(tmp_path, {}), CampaignPlan(goal, (entry,)), count_boots(goal, 1, ()), ())


def _carry_out(monkeypatch: pytest.MonkeyPatch, ongoing: subject.Ongoing, ends_with: BaseException | None) -> Any:
    said: list[object] = []

    @asynccontextmanager
    async def look(name: str, environment: object, results: Path, *image: str | None) -> AsyncIterator[Any]:
        assert (name, results, image) == ("virtual", Path("results"), ("boot/bzImage", "modules"))
        yield SimpleNamespace(keep_log=lambda run: said.append(run.name), at_once=lambda wanted: wanted)

    async def begin(site: object) -> subject.Ongoing:
        if isinstance(ends_with, InputError):
            raise ends_with
        return ongoing

    async def make(*_: object) -> None:
        if ends_with is not None:
            raise ends_with

    monkeypatch.setattr(subject, "open_host_site", look)
    monkeypatch.setattr(subject, "make_boots", make)
    watcher: Any = nullcontext(lambda identity, what: None)
    result = subject.carry_out(
        begin,
        subject.BootOptions(Path("results"), 4, "virtual", image=("boot/bzImage", "modules")),
        lambda campaign, outlook: said.append(outlook.at_once),
        lambda account, outlook: watcher,
    )
    return result, said


@pytest.mark.parametrize(
    ("host", "image"),
    [
        ("{kernel: ./bzImage, modules: ./modules}", ("./bzImage", "./modules")),
        ("{kernel: 7.2.*}", (None, None)),
        ("{}", (None, None)),
    ],
)
def test_the_kernel_that_a_campaign_was_begun_with_is_booted_again(host: str, image: tuple[str | None, ...]) -> None:
    text = f"name: a\nabout: b.\nhost: {host}\n"
    (variant,) = load_scenario(text, "a.yaml", checks=all_checks(), set_values={}, environment={}).variants
    entries = tuple(
        _Entry("a", "b", "a.yaml", "-", "a", platform, Accel.TCG, dump_setting(setting), {})
        for platform, setting in variant.platforms[:1]
    )
    assert subject.recorded_image(CampaignPlan(Goal(3, None, 0.95), entries)) == image


def test_it_announces_and_makes_the_boots(monkeypatch: pytest.MonkeyPatch, ongoing: subject.Ongoing) -> None:
    assert _carry_out(monkeypatch, ongoing, None) == ((ongoing, None), [ongoing.run.folder.name, 4])


@pytest.mark.parametrize("error", [HostError("the disk is full"), KeyboardInterrupt()])
def test_what_ends_it_early_comes_back_with_what_is_made(
    monkeypatch: pytest.MonkeyPatch, ongoing: subject.Ongoing, error: BaseException
) -> None:
    (campaign, found), _ = _carry_out(monkeypatch, ongoing, error)
    assert campaign is ongoing
    assert isinstance(found, type(error))


def test_a_campaign_that_never_began_raises(monkeypatch: pytest.MonkeyPatch, ongoing: subject.Ongoing) -> None:
    with pytest.raises(InputError, match="no such"):
        _carry_out(monkeypatch, ongoing, InputError("no such variant"))


@pytest.mark.parametrize(
    ("goal", "expected_s", "said"),
    [
        (Goal(10, None, 0.95), None, None),
        (Goal(10, None, 0.95), 2.0, "this takes about 16.0 s, by the 7 boots of it that are recorded here"),
        (
            Goal(10, 0.1, 0.95, sequential=True),
            2.0,
            "this takes at most 16.0 s, by the 7 boots of it that are recorded here",
        ),
    ],
)
def test_it_is_said_beforehand_how_long_it_takes(goal: Goal, expected_s: float | None, said: str | None) -> None:
    assert subject.Outlook(2, 7, expected_s).sentence(count_boots(goal, 1, lines_of(".."))) == said


def test_boots_at_the_same_time_share_what_one_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = _Entry("s", "about", "s.yaml", "v=1", "s", Platform.MODEL, Accel.TCG, {}, {})
    run = create_run(tmp_path, {})
    for line in lines_of("..."):
        run.append(line)
    for boots, expected_s in ((8, 0.25), (2, 0.5)):
        goal = Goal(boots, None, 0.95)
        ongoing = subject.Ongoing(run, CampaignPlan(goal, (entry,)), count_boots(goal, 1, ()), ())
        outlook = subject._outlook(ongoing, 4)
        assert (outlook.at_once, outlook.earlier, outlook.expected_s) == (4, 2, expected_s)
