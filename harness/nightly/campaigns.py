"""Make the campaigns of a night, round by round, until its time is spent; who makes the boots is the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.boot.plan import RefusedBoot, plan_boots
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.catalogue import select_variants
from harness.clock import Deadline
from harness.errors import InputError
from harness.nightly.budget import Arm, next_round
from harness.nightly.evidence import build_digest, find_campaign
from harness.results.provenance import describe_run
from harness.results.store import Run
from harness.scenario.model import Platform
from harness.scenario.setting import Scenario, Variant
from harness.stability.goal import Asked, choose_goal
from harness.stability.plan import make_plan, read_plan
from harness.stability.run import count_run

__all__ = ["Campaign", "RoundDone", "Skipped", "plan_campaigns", "spend"]


@dataclass(frozen=True, slots=True)
class Campaign:
    """Be one campaign of a night.

    ``options`` make the command choose the same boots. ``run`` holds them, None before the first. ``boots`` are planned
    in it so far, ``carried`` are those of earlier nights. ``status`` is the exit status of its last round, None before
    the first of this night. ``ended`` says why it gets no more.
    """

    arm: Arm
    file: str
    options: tuple[str, ...]
    run: Run | None
    boots: int
    carried: int
    made: int = 0
    spent_s: float = 0.0
    status: int | None = None
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Be a scenario whose campaign cannot be made here, and why."""

    scenario: str
    reason: str


@dataclass(frozen=True, slots=True)
class RoundDone:
    """Be what a round came to: its exit status, how long it took, and the counts of the whole campaign.

    ``run`` is None, and the counts are 0, where nothing was recorded.
    """

    status: int
    took_s: float
    run: Run | None = None
    bad: int = 0
    told: int = 0
    counted: int = 0


async def plan_campaigns(
    scenarios: Sequence[Scenario],
    only: Sequence[str],
    set_values: Mapping[str, str],
    platform: Platform | None,
    site: Site,
    results: Path,
) -> tuple[Campaign | Skipped, ...]:
    """Return the campaign of each scenario that has a ``stability:`` section, with what earlier nights know.

    ``only`` chooses variants as :func:`~harness.catalogue.select_variants` does.

    :raise InputError: if a setting contradicts itself, or names a file that is missing.
    :raise HostError: if this machine lacks a part of a guest.
    """
    chosen = select_variants(scenarios, only)
    found = []
    for scenario in scenarios:
        variants = [variant for variant in chosen if variant.scenario == scenario.name]
        if any(setting.stability for variant in variants for _, setting in variant.platforms):
            # As the command that makes the boots will choose them.
            options = [word for key, value in set_values.items() if key in scenario.set_names_used
                       for word in ("--set", f"{key}={value}")]  # fmt: skip
            if len(variants) < len(scenario.variants):
                options += [word for variant in variants for word in ("--only", variant.full_id)]
            if platform is not None:
                options += ["--platform", platform]
            found.append(await _plan(scenario, variants, tuple(options), platform, site, results))
    return tuple(found)


async def _plan(
    scenario: Scenario,
    variants: Sequence[Variant],
    options: tuple[str, ...],
    platform: Platform | None,
    site: Site,
    results: Path,
) -> Campaign | Skipped:
    plans = await plan_boots(variants, site, platform)
    planned = [plan for plan in plans if isinstance(plan, PlannedBoot)]
    if not planned:
        return Skipped(scenario.name, next((plan.reason for plan in plans if isinstance(plan, RefusedBoot)), ""))
    try:
        goal = choose_goal(Asked(), [plan.setting.stability for plan in planned])
        plan = await make_plan(goal, planned, site)
    except InputError as error:
        return Skipped(scenario.name, str(error))
    arm = Arm(scenario.name, 0, 0, goal.confidence, len(plan.entries))
    run = find_campaign(results, build_digest(plan, describe_run(["svsm-harness"])))
    if run is None:
        return Campaign(arm, scenario.file, options, None, 0, 0)
    recorded = read_plan(run)
    account = count_run(run, recorded)
    arm = replace(arm, bad=account.bad, told=account.told)
    return Campaign(arm, scenario.file, options, run, recorded.goal.boots, account.counted)


def spend(
    campaigns: Sequence[Campaign], night: Deadline, round_s: float, make: Callable[[Campaign, int], RoundDone]
) -> tuple[Campaign, ...]:
    """Make rounds until the night is over, and return what the campaigns came to, in their order.

    ``make`` makes so many more boots of a campaign. No boot is cut off when the time is up, for that would leave out
    just those that hang; so a night may end later by as much as its last round was wrong about.
    """
    state = {campaign.arm.name: campaign for campaign in campaigns}
    while True:
        open_arms = [campaign.arm for campaign in state.values() if not campaign.ended]
        following = next_round(open_arms, night.remaining_s, round_s)
        if following is None:
            return tuple(state.values())
        campaign = state[following.name]
        state[following.name] = _after(campaign, following.boots, make(campaign, following.boots))


def _after(campaign: Campaign, asked: int, done: RoundDone) -> Campaign:
    counted_before = campaign.carried + campaign.made
    made = done.counted - counted_before
    fresh = replace(campaign, status=done.status, spent_s=campaign.spent_s + done.took_s)
    if done.run is None or made <= 0:
        return replace(fresh, ended=f"its last round made no boot (exit status {done.status})")
    arm = replace(campaign.arm, bad=done.bad, told=done.told, boot_s=done.took_s / made)
    fresh = replace(fresh, arm=arm, run=done.run, boots=max(campaign.boots, counted_before) + asked)
    fresh = replace(fresh, made=campaign.made + made)
    if done.told == campaign.arm.told:
        # Its interval stays the widest for ever, and would take the night from the others.
        return replace(fresh, ended="none of the boots of its last round told anything")
    return fresh
