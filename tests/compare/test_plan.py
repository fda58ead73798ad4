from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.catalogue import load_files
from harness.compare.plan import load_arms, make_comparison, plan_arms
from harness.compare.settings import TypedSetting, read_settings
from harness.errors import InputError, ScenarioError
from harness.scenario.setting import Variant
from harness.stability.plan import boot_of_turn, place_of_turn

SCENARIO = """
name: many
about: Two variants on the model.
matrix: {vcpus: [1, 2]}
platforms:
  model:
    machine: {memory: 64M}
    payload: {image: vmpl_model, trace: roy, debug_exit: true}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "many.yaml"
    path.write_text(SCENARIO)
    return path


def _load(file: Path, typed: Sequence[str], common: Mapping[str, str] | None = None) -> list[list[Variant]]:
    def load(values: Mapping[str, str]) -> Sequence[Variant]:
        (scenario,) = load_files([file], values, {})
        return scenario.variants

    return load_arms(read_settings(typed), common or {}, load)


def _planned(file: Path, site: Site, typed: Sequence[str]) -> list[PlannedBoot]:
    planned, refused = asyncio.run(plan_arms(_load(file, typed), site, None))
    assert refused == []
    return planned


def test_a_setting_is_in_the_scenario_before_it_is_checked_and_in_the_variants_name(file: Path) -> None:
    a, b = _load(file, ["-", "small: machine.memory=32M"], {"timeout": "9s"})
    assert [variant.full_id for variant in b] == ["many[vcpus=1,setting=small]", "many[vcpus=2,setting=small]"]
    assert [arm[0].platforms[0][1].machine.memory >> 20 for arm in (a, b)] == [64, 32]
    assert {variant.platforms[0][1].timeout_s for variant in (*a, *b)} == {9.0}
    assert len({variant.slug for variant in (*a, *b)}) == 4


@pytest.mark.parametrize(
    ("typed", "common", "kind", "said"),
    [
        (["-", "machine.memory=lots"], {}, ScenarioError, "machine.memory=lots: setting B: .*memory"),
        (["-", "machin.cpu=max"], {}, ScenarioError, "setting B: 'machin.cpu' leads nowhere.*machine"),
        (["-", "x: nonsense=1"], {}, InputError, r"setting x \(nonsense=1\): .*nonsense"),
        (["-", "timeout=5s"], {"timeout": "6s"}, InputError, "setting B: timeout is given by --set too"),
        (["-", "vcpus=1"], {}, InputError, "A has 2, B has 1; choose some of them with --only"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    file: Path, typed: list[str], common: dict[str, str], kind: type[InputError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        _load(file, typed, common)


def test_arms_of_a_variant_are_neighbours_in_an_order_drawn_by_lot(file: Path, site: Site) -> None:
    typed = ["-", "machine.memory=32M", "machine.memory=48M"]
    planned = _planned(file, site, typed)
    plan = asyncio.run(make_comparison(read_settings(typed), planned, site, 60, 0.95, 5))
    assert plan.goal.boots == 180
    orders: Counter[tuple[int, ...]] = Counter()
    variants: Counter[tuple[str, int]] = Counter()
    for block in range(60):
        turns = range(3 * block + 1, 3 * block + 4)
        places = [place_of_turn(plan, turn) for turn in turns]
        boots = [boot_of_turn(plan, turn) for turn in turns]
        assert {place.block for place in places} == {block}
        assert {boot.setting.machine.vcpus for boot in boots} == {1 + block % 2}
        memories = {0: 64, 1: 32, 2: 48}
        assert [boot.setting.machine.memory >> 20 for boot in boots] == [memories[place.arm] for place in places]
        orders[tuple(place.arm for place in places)] += 1
        variants.update((boot.variant.id, place.arm) for boot, place in zip(boots, places, strict=True))
    assert len(orders) == 6
    assert set(variants.values()) == {30}


def test_boots_that_cannot_be_shared_are_refused(file: Path, site: Site) -> None:
    settings: tuple[TypedSetting, ...] = read_settings(["-", "machine.memory=32M"])
    planned = _planned(file, site, ["-", "machine.memory=32M"])
    with pytest.raises(InputError, match="2 variants cannot share 7 boots evenly; take --boots 8"):
        asyncio.run(make_comparison(settings, planned, site, 7, 0.95, 1))
