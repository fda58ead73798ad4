"""Keep in ``run.json`` what a campaign boots, so that it goes on as it began, whatever the scenario file says today."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random

from pydantic import JsonValue, TypeAdapter, ValidationError

from harness.boot.parts import parts_of
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.checks import all_checks
from harness.errors import InputError
from harness.host.protocol import HostKind
from harness.qemu.command import Accel
from harness.results.files import write_whole
from harness.results.store import Run, read_about
from harness.scenario.model import Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.stored import dump_setting, load_setting
from harness.stability.goal import Goal

__all__ = [
    "CampaignPlan",
    "Place",
    "boot_of_turn",
    "make_plan",
    "place_of_turn",
    "read_plan",
    "require_same_parts",
    "seeded",
    "with_plan",
    "write_goal",
]

_KEY = "stability"
# Among the parts of a variant that is not booted on this machine.
_HOST = "host"


@dataclass(frozen=True, slots=True)
class _Entry:
    # A variant on its platform. ``made_of`` maps each part that is booted to its digest or version.
    scenario: str
    about: str
    file: str
    id: str
    slug: str
    platform: Platform
    accel: Accel
    setting: Mapping[str, JsonValue]
    made_of: Mapping[str, str]

    @property
    def variant(self) -> str:
        # As in the record (harness.scenario.setting).
        return self.scenario if self.id == "-" else f"{self.scenario}[{self.id}]"


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """Hold the goal and the variants, which take turns in this order.

    ``arms`` names the settings that are compared; empty: none are. Each variant is then there once for each arm, all
    arms of a variant one after the other, and ``order_seed`` draws in which order the arms of a block are booted.
    """

    goal: Goal
    entries: tuple[_Entry, ...]
    arms: tuple[str, ...] = ()
    order_seed: int = 0

    @property
    def platform(self) -> Platform:
        """Return the grade of evidence, which all variants share."""
        return self.entries[0].platform

    @property
    def scenario(self) -> str:
        """Return the scenario's name."""
        return self.entries[0].scenario

    @property
    def host(self) -> str:
        """Return the name of the host that its boots are made on."""
        return self.entries[0].made_of.get(_HOST, HostKind.LOCAL)


@dataclass(frozen=True, slots=True)
class Place:
    """Say where a turn is: its entry, its block of boots that are compared with each other, and its arm, all from 0."""

    entry: int
    block: int
    arm: int


_plan_json: TypeAdapter[CampaignPlan] = TypeAdapter(CampaignPlan)


async def make_plan(
    goal: Goal, planned: Sequence[PlannedBoot], site: Site, arms: Sequence[str] = (), order_seed: int = 0
) -> CampaignPlan:
    """Fix what is booted; ``arms`` and ``order_seed`` as :class:`CampaignPlan` holds them.

    :raise InputError: if the variants would have different grades of evidence, which cannot be counted together.
    :raise HostError: if this machine lacks a part of a guest.
    """
    platforms = sorted({plan.platform for plan in planned}, key=lambda platform: platform.rank)
    if len(platforms) > 1:
        raise InputError(
            f"the variants would run as {' and '.join(platforms)}, and boots of different grades are not counted "
            "together; choose one with --platform"
        )
    entries = [
        _Entry(
            scenario=plan.variant.scenario,
            about=plan.variant.about,
            file=plan.variant.file,
            id=plan.variant.id,
            slug=plan.variant.slug,
            platform=plan.platform,
            accel=plan.accel,
            setting=dump_setting(plan.setting),
            made_of=await _made_of(plan, site),
        )
        for plan in planned
    ]
    return CampaignPlan(goal, tuple(entries), tuple(arms), order_seed)


def place_of_turn(plan: CampaignPlan, turn: int) -> Place:
    """Return the place of ``turn`` (from 1).

    Without arms, a block is a round of all variants. With arms, it is one boot of each arm of one variant, in an order
    drawn by lot: no state of the machine can favour an arm, and the comparison may count on that.
    """
    size = len(plan.arms) or len(plan.entries)
    block, at = divmod(turn - 1, size)
    if not plan.arms:
        return Place(at, block, 0)
    order = Random(f"{plan.order_seed}:{block}").sample(range(size), size)
    return Place(block % (len(plan.entries) // size) * size + order[at], block, order[at])


def boot_of_turn(plan: CampaignPlan, turn: int) -> PlannedBoot:
    """Return the boot of ``turn`` (from 1): variants take turns, so that a machine that drifts favours none.

    A payload's seed goes up by one with each turn, so that faults that have a rate differ from boot to boot, and each
    boot can be made again alone: its setting, with its seed, is in its record.

    :raise ScenarioError: if another version of the harness wrote the plan.
    """
    entry = plan.entries[place_of_turn(plan, turn).entry]
    setting = seeded(load_setting(entry.setting, checks=all_checks()), turn)
    variant = Variant(
        scenario=entry.scenario,
        about=entry.about,
        tags=(),
        file=entry.file,
        id=entry.id,
        slug=entry.slug,
        axes=(),
        platforms=((entry.platform, setting),),
    )
    return PlannedBoot(variant, entry.platform, setting, entry.accel, turn)


def seeded(setting: Setting, turn: int) -> Setting:
    """Return the setting with the seeds that boot ``turn`` (from 1) has: each goes up by one with every turn."""
    perturb, payload = setting.perturb, setting.payload
    if perturb is not None:
        setting = replace(setting, perturb=perturb.model_copy(update={"seed": perturb.seed + turn - 1}))
    if payload is None:
        return setting
    return replace(setting, payload=payload.model_copy(update={"seed": payload.seed + turn - 1}))


def with_plan(about: Mapping[str, object], plan: CampaignPlan) -> Mapping[str, object]:
    """Return what ``run.json`` holds of a campaign: ``about``, and the plan."""
    return {**about, _KEY: _plan_json.dump_python(plan, mode="json")}


def read_plan(run: Run) -> CampaignPlan:
    """Read the plan of a recorded campaign.

    :raise InputError: if the run is no campaign, or another version of the harness wrote it.
    """
    about = read_about(run)
    if _KEY not in about:
        raise InputError(f"{run.folder} is no stability campaign; `svsm-harness stability SCENARIO` starts one")
    try:
        return _plan_json.validate_json(json.dumps(about[_KEY]))
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise InputError(f"{run.folder / 'run.json'}: {what}; another version of the harness wrote it") from error


def write_goal(run: Run, goal: Goal) -> None:
    """Record a goal that was extended.

    :raise HostError: if it cannot be written.
    """
    about = dict(read_about(run))
    plan = about[_KEY]
    assert isinstance(plan, dict)  # read_plan has read it
    about[_KEY] = {**plan, "goal": asdict(goal)}
    write_whole(run.folder / "run.json", json.dumps(about, indent=1).encode() + b"\n")


async def require_same_parts(plan: CampaignPlan, site: Site) -> None:
    """Check that what is booted now is what was booted before: one rate cannot speak of two builds.

    :raise InputError: naming the first part that differs, or the host that the campaign belongs to.
    """
    for turn in range(1, len(plan.entries) + 1):
        entry = plan.entries[place_of_turn(plan, turn).entry]
        now = await _made_of(boot_of_turn(plan, turn), site)
        # The host first: on another one, everything else differs too.
        for part in sorted(entry.made_of.keys() | now.keys(), key=lambda part: (part != _HOST, part)):
            was, found = entry.made_of.get(part, "absent"), now.get(part, "absent")
            if was != found:
                if part == _HOST:
                    raise InputError(f"the boots of this run are made on {plan.host}: go on with --host {plan.host}")
                raise InputError(
                    f"{part} was {was} when the campaign began and is {found} now; one failure rate cannot speak of "
                    "both, so start a new campaign"
                )


async def _made_of(plan: PlannedBoot, site: Site) -> Mapping[str, str]:
    where = {} if site.host.kind is HostKind.LOCAL else {_HOST: site.host.name}
    return {**where, **await parts_of(plan, site)}
