import asyncio
from pathlib import Path

import pytest

from harness.boot.site import Site
from harness.catalogue import load_files
from harness.clock import Deadline
from harness.nightly.budget import Arm
from harness.nightly.campaigns import Campaign, RoundDone, Skipped, plan_campaigns, spend
from harness.results.store import Run
from harness.scenario.model import Platform

TWO_NIGHTS = Path(__file__).with_name("two_nights.yaml")
RUN = Run(Path("r"))


def campaign(name: str, told: int = 0, run: Run | None = None) -> Campaign:
    return Campaign(Arm(name, 0, told, 0.95, 1), f"{name}.yaml", (), run, told, told)


class Bench:
    """Make boots of one second each, of which nobody waits for any."""

    def __init__(self, boots: int) -> None:
        self.left = boots
        self.rounds: list[tuple[str, int]] = []

    def make(self, campaign: Campaign, boots: int) -> RoundDone:
        self.rounds.append((campaign.arm.name, boots))
        self.left -= 1
        counted = campaign.carried + campaign.made + boots
        if campaign.arm.name == "silent":
            return RoundDone(3, boots, RUN, 0, 0, counted)
        if campaign.arm.name == "broken":
            return RoundDone(4, 0.1)
        return RoundDone(0, boots * (1e9 if self.left <= 0 else 1), RUN, 0, counted, counted)


def test_time_is_spent_until_no_boot_fits() -> None:
    bench = Bench(3)
    one, two = spend([campaign("a"), campaign("b", told=200, run=RUN)], Deadline.after(3600), 60, bench.make)
    # The third round told that a boot of it takes longer than what is left; the other goes on from what it had.
    assert bench.rounds == [("a", 4), ("a", 60), ("a", 60), ("b", 4)]
    assert (one.made, one.boots, one.arm.told) == (124, 124, 124)
    assert (two.carried, two.made, two.boots, two.arm.told) == (200, 4, 204, 204)


def test_what_tells_nothing_does_not_take_the_night_from_the_others() -> None:
    bench = Bench(5)
    found = spend([campaign("silent"), campaign("broken"), campaign("a")], Deadline.after(3600), 60, bench.make)
    assert sorted(name for name, _ in bench.rounds) == ["a", "a", "a", "broken", "silent"]
    ended = {each.arm.name: (each.status, each.ended) for each in found}
    assert ended["silent"] == (3, "none of the boots of its last round told anything")
    assert ended["broken"] == (4, "its last round made no boot (exit status 4)")
    assert ended["a"] == (0, "")


def test_no_time_makes_boots_of_what_is_new_only() -> None:
    bench = Bench(9)
    known, new = spend([campaign("known", 200, RUN), campaign("new")], Deadline.after(0), 60, bench.make)
    assert bench.rounds == [("new", 4)]
    assert (known.status, new.status) == (None, 0)


def plan(
    site: Site, results: Path, *, only: tuple[str, ...] = (), platform: Platform | None = None, **values: str
) -> list[Campaign | Skipped]:
    scenarios = load_files([TWO_NIGHTS], values, {})
    return list(asyncio.run(plan_campaigns(scenarios, only, values, platform, site, results)))


@pytest.mark.qemu
def test_campaigns_are_planned_as_the_command_will_choose_them(site: Site, tmp_path: Path) -> None:
    (found,) = plan(site, tmp_path, spurious="0.5", platform=Platform.MODEL)
    assert isinstance(found, Campaign)
    assert found.options == ("--set", "spurious=0.5", "--platform", "model")
    assert (found.run, found.carried, found.arm.confidence) == (None, 0, 0.9)
    (refused,) = plan(site, tmp_path, platform=Platform.SVSM)
    assert isinstance(refused, Skipped) and "svsm" in refused.reason
