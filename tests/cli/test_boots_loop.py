from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from harness.cli import boots_loop as subject
from harness.errors import HostError, InputError
from harness.results.store import create_run
from harness.stability.account import count_boots
from harness.stability.goal import Goal
from harness.stability.plan import CampaignPlan


@pytest.fixture
def ongoing(tmp_path: Path) -> subject.Ongoing:
    goal = Goal(3, None, 0.95)
    return subject.Ongoing(create_run(tmp_path, {}), CampaignPlan(goal, ()), count_boots(goal, 1, ()), ())


def _carry_out(monkeypatch: pytest.MonkeyPatch, ongoing: subject.Ongoing, ends_with: BaseException | None) -> Any:
    said: list[int] = []

    async def look(environment: object) -> None: ...

    async def begin(site: object) -> subject.Ongoing:
        if isinstance(ends_with, InputError):
            raise ends_with
        return ongoing

    async def make(*_: object) -> None:
        if ends_with is not None:
            raise ends_with

    monkeypatch.setattr(subject, "open_site", look)
    monkeypatch.setattr(subject, "make_boots", make)
    watcher: Any = nullcontext(lambda identity, what: None)
    result = subject.carry_out(begin, 4, lambda campaign, at_once: said.append(at_once), lambda account: watcher)
    return result, said


def test_it_announces_and_makes_the_boots(monkeypatch: pytest.MonkeyPatch, ongoing: subject.Ongoing) -> None:
    assert _carry_out(monkeypatch, ongoing, None) == ((ongoing, None), [4])


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
