"""Plan the boots of a comparison: every variant once for each setting, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.boot.plan import RefusedBoot, plan_boots
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.compare.settings import TypedSetting
from harness.errors import InputError, ScenarioError
from harness.scenario.model import Platform
from harness.scenario.setting import Variant
from harness.scenario.variants import slug
from harness.stability.goal import Goal
from harness.stability.plan import CampaignPlan, make_plan

__all__ = ["load_arms", "make_comparison", "plan_arms"]


def load_arms(
    settings: Sequence[TypedSetting],
    common: Mapping[str, str],
    load: Callable[[Mapping[str, str]], Sequence[Variant]],
) -> list[list[Variant]]:
    """Load the variants of each setting; ``load`` gets the keys to set, which a setting adds to ``common``.

    Each variant says in its id which setting it has.

    :raise InputError: naming the setting that cannot be had, or if the settings do not have the same variants.
    """
    arms = []
    for setting in settings:
        twice = common.keys() & setting.values.keys()
        if twice:
            raise InputError(f"setting {setting.label}: {min(twice)} is given by --set too, for all settings")
        try:
            variants = load({**common, **setting.values})
        except ScenarioError as error:
            problems = [replace(problem, what=f"setting {setting.label}: {problem.what}") for problem in error.problems]
            raise ScenarioError(problems) from error
        except InputError as error:
            raise InputError(f"setting {setting.label} ({setting.what}): {error}") from error
        arms.append([_labelled(variant, setting.label) for variant in variants])
    counts = {len(variants) for variants in arms}
    if len(counts) > 1:
        said = ", ".join(f"{setting.label} has {len(arm)}" for setting, arm in zip(settings, arms, strict=True))
        raise InputError(f"the settings do not have the same variants: {said}; choose some of them with --only")
    return arms


def _labelled(variant: Variant, label: str) -> Variant:
    variant_id = f"setting={label}" if variant.id == "-" else f"{variant.id},setting={label}"
    return replace(variant, id=variant_id, slug=slug(variant.scenario, variant_id))


async def plan_arms(
    arms: Sequence[Sequence[Variant]], site: Site, platform: Platform | None
) -> tuple[list[PlannedBoot], list[RefusedBoot]]:
    """Choose a platform for every variant of every arm; the arms of each variant come one after the other.

    :raise InputError: as :func:`~harness.boot.plan.plan_boots`.
    """
    side_by_side = [variant for variants in zip(*arms, strict=True) for variant in variants]
    plans = await plan_boots(side_by_side, site, platform)
    planned = [plan for plan in plans if isinstance(plan, PlannedBoot)]
    return planned, [plan for plan in plans if isinstance(plan, RefusedBoot)]


async def make_comparison(
    settings: Sequence[TypedSetting],
    planned: Sequence[PlannedBoot],
    site: Site,
    boots: int,
    confidence: float,
    order_seed: int,
) -> CampaignPlan:
    """Fix what is booted: ``boots`` of each setting, in an order that is drawn by lot within each block.

    :raise InputError: if ``boots`` cannot be shared evenly by the variants, or as
        :func:`~harness.stability.plan.make_plan`.
    :raise HostError: as there.
    """
    variants = len(planned) // len(settings)
    if boots % variants:
        more = boots + variants - boots % variants
        raise InputError(f"{variants} variants cannot share {boots} boots evenly; take --boots {more}")
    goal = Goal(boots * len(settings), None, confidence)
    arms = [f"{setting.label}: {setting.what}" for setting in settings]
    return await make_plan(goal, planned, site, arms, order_seed)
