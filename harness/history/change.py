"""Say what changed since a baseline, what got worse first, and how sure that is.

What is seen is always said: a new signature, a variant that passed. How sure it is that a *rate* changed is a p-value:
how often chance alone would part two samples of one rate so far. All comparisons of one report are adjusted for each
other (Holm), so a page with a hundred scenarios does not cry wolf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from harness.checks.base import Status, worst
from harness.history.baseline import Baseline, BaselineGroup, measured_of, phase_times_s, switches_per_call
from harness.history.measure import Measures
from harness.history.tally import Group, Kind
from harness.stats.binomial import upper_bound
from harness.stats.changepoint import fisher_p, holm, mann_whitney_p
from harness.units import format_duration, format_rate

__all__ = ["Change", "Comparison", "Direction", "GroupChange", "compare_groups"]

# A rate or a distribution is said to differ once chance alone is this unlikely, all comparisons taken together.
_UNLIKELY = 0.05


class Direction(StrEnum):
    """Say which way something changed; the order is that of a report."""

    WORSE = "worse"
    UNLIKE = "different"
    BETTER = "better"
    GONE = "not run"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Change:
    """Say one thing that changed: ``what`` in a sentence, and ``sure``, how certain that is (empty: it is a fact).

    ``see`` names a boot that shows it (``RUN/3``), None where none does.
    """

    direction: Direction
    scenario: str
    grade: str
    what: str
    sure: str
    see: str | None = None


@dataclass(frozen=True, slots=True)
class GroupChange:
    """Compare one group with the baseline.

    ``rate_p`` is the adjusted p-value of the rate's change, whichever way; None without anything to compare with.
    ``new_kinds`` are the kinds of failure that the baseline has not.
    """

    before: BaselineGroup | None
    rate_p: float | None
    new_kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hold all changes, the worst first, and each group's, by (scenario, grade)."""

    changes: tuple[Change, ...]
    groups: Mapping[tuple[str, str], GroupChange]


def compare_groups(
    baseline: Baseline, groups: Sequence[Group], measures: Mapping[str, Mapping[str, Measures]]
) -> Comparison:
    """Compare every group with the baseline; ``measures`` are by run and folder."""
    pairs = [(group, baseline.find(group.scenario, group.grade)) for group in groups]
    both = [(group, before) for group, before in pairs if before is not None]
    rates = _rates_p(both)
    changes: list[Change] = []
    compared: dict[tuple[str, str], GroupChange] = {}
    for (group, before), rate_p in zip(both, rates, strict=True):
        new = tuple(kind for kind in group.kinds() if kind.signature not in before.signatures)
        compared[group.scenario, group.grade] = GroupChange(before, rate_p, new)
        changes += _of_failures(group, before, rate_p, new)
    changes += _of_numbers(both, measures)
    for group, known in pairs:
        if known is None:
            compared[group.scenario, group.grade] = GroupChange(None, None, group.kinds())
            if not group.unsupported or group.told or group.lost:
                changes.append(Change(Direction.NEW, group.scenario, group.grade, _new(group), ""))
    seen = {(group.scenario, group.grade) for group in groups if group.told or group.lost}
    for gone in baseline.groups:
        if (gone.scenario, gone.grade) not in seen and gone.good + gone.bad:
            what = f"nothing ran; the baseline has {gone.good + gone.bad} boots"
            changes.append(Change(Direction.GONE, gone.scenario, gone.grade, what, ""))
    order = list(Direction)
    return Comparison(tuple(sorted(changes, key=lambda change: order.index(change.direction))), compared)


def _rates_p(both: Sequence[tuple[Group, BaselineGroup]]) -> list[float]:
    # Where no boot failed, then or now, no count could have spoken of a change: such a comparison is none, and the
    # others need not be adjusted for it (Tarone, "A modified Bonferroni method for discrete data", 1990).
    asked = [index for index, (group, before) in enumerate(both) if group.bad or before.bad]
    adjusted = holm([_rate_p(*both[index]) for index in asked])
    ps = [1.0] * len(both)
    for index, p in zip(asked, adjusted, strict=True):
        ps[index] = p
    return ps


def _rate_p(group: Group, before: BaselineGroup) -> float:
    # The way that is seen; twice, because it could have been the other.
    then, now = (before.bad, before.bad + before.good), (group.bad, group.told)
    return min(1.0, 2 * min(fisher_p(then, now), fisher_p(_good(then), _good(now))))


def _good(counts: tuple[int, int]) -> tuple[int, int]:
    return counts[1] - counts[0], counts[1]


def _of_failures(group: Group, before: BaselineGroup, p: float, new: Sequence[Kind]) -> list[Change]:
    now = {variant: worst([boot.line.status for boot in boots]) for variant, boots in group.by_variant().items()}
    order = list(Status)
    shared = [variant for variant in now if variant in before.variants]
    worse = [variant for variant in shared if order.index(now[variant]) < order.index(before.variants[variant])]
    better = [variant for variant in shared if order.index(now[variant]) > order.index(before.variants[variant])]
    told_before = before.bad + before.good
    counts = f"{_failed(group.bad, group.told)}, {_failed(before.bad, told_before)} in the baseline"
    up = group.bad * max(1, told_before) > before.bad * max(1, group.told)
    changes = []
    if new or (p < _UNLIKELY and up) or (worse and not before.bad):
        parts = [counts] if group.told else [f"no boot told anything; {_failed(before.bad, told_before)} before"]
        parts += [f"new: {kind.signature} ({kind.boots})" for kind in new[:3]]
        parts += [f"and {len(new) - 3} more kinds"] if len(new) > 3 else []
        sure = _how_sure(group, before, p) if group.told and told_before else ""
        shown = next((kind.first.name for kind in (*new, *group.kinds()) if kind.first.name), None)
        changes.append(Change(Direction.WORSE, group.scenario, group.grade, "; ".join(parts), sure, shown))
    elif (p < _UNLIKELY and not up) or (better and not group.bad and not group.lost):
        changes.append(_change(Direction.BETTER, group, counts, _how_sure(group, before, p)))
    gone = [signature for signature in before.signatures if signature not in {k.signature for k in group.kinds()}]
    if gone and group.told:
        rates = [(signature, before.signatures[signature] / max(1, told_before)) for signature in gone[:3]]
        said = "; ".join(f"{signature} ({format_rate(rate)} before)" for signature, rate in rates)
        bound = format_rate(upper_bound(0, group.told, 0.95))
        sure = f"not seen in {group.told} boots: below {bound} with 95% confidence"
        changes.append(_change(Direction.BETTER, group, f"no longer seen: {said}", sure))
    return changes


def _how_sure(group: Group, before: BaselineGroup, p: float) -> str:
    if p < _UNLIKELY:
        often = "in less than 1 of 10000 nights" if p < 0.0001 else f"in 1 of {round(1 / p)} nights"
        return (
            f"chance alone would part the rates so far {often} (p = {_p(p)}, all comparisons of this page allowed for)"
        )
    file = group.boots[0].line.identity.file
    boots = f"{before.bad + before.good} and {group.told} boots"
    more = f"svsm-harness stability {file} --boots 60"
    return f"{boots} are too few to tell a rate from chance (p = {_p(p)}); {more} would tell"


def _of_numbers(
    both: Sequence[tuple[Group, BaselineGroup]], measures: Mapping[str, Mapping[str, Measures]]
) -> list[Change]:
    found: list[tuple[Group, str, str, Sequence[float], Sequence[float]]] = []
    for group, before in both:
        measured = measured_of(group, measures)
        for name, times in phase_times_s(measured).items():
            found.append((group, "phase", name, before.phases_s.get(name, ()), times))
        for key, numbers in switches_per_call(measured).items():
            found.append((group, "switches", key, before.per_call.get(key, ()), numbers))
    changes = []
    ps = holm([mann_whitney_p(then, now) for _, _, _, then, now in found])
    for (group, sort, name, then, now), p in zip(found, ps, strict=True):
        if p >= _UNLIKELY:
            continue
        old, new = median(then), median(now)
        if sort == "phase":
            what = f"start-up to {name}: median {format_duration(new)}, {format_duration(old)} in the baseline"
            sure = f"p = {_p(p)} by ranks; one night against one: a busier machine looks the same"
            changes.append(_change(Direction.UNLIKE, group, what, sure))
        else:
            what = f"switches {name} for each SVSM call: median {new:.3g}, {old:.3g} in the baseline"
            changes.append(_change(Direction.UNLIKE, group, what, f"p = {_p(p)} by ranks"))
    return changes


def _new(group: Group) -> str:
    return f"not in the baseline; {_failed(group.bad, group.told)}"


def _failed(bad: int, told: int) -> str:
    return f"{bad} of {told} boot{'s' if told != 1 else ''} failed"


def _change(direction: Direction, group: Group, what: str, sure: str) -> Change:
    return Change(direction, group.scenario, group.grade, what, sure)


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.0001 else "less than 0.0001"
