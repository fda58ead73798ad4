"""Divide what is left of a night among campaigns: the next boots go where the failure rate is known worst; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.stats.anytime import anytime_interval

__all__ = ["Arm", "Round", "next_round"]


# Enough that the start of the command, about a second, does not pass for the boots' own time.
_FIRST_BOOTS = 4


@dataclass(frozen=True, slots=True)
class Arm:
    """Be what a campaign has shown so far: ``bad`` of the ``told`` boots that told something failed.

    ``boot_s`` is the wall-clock time that one more boot takes, None before the first. ``variants`` take turns.
    """

    name: str
    bad: int
    told: int
    confidence: float
    variants: int
    boot_s: float | None = None

    @property
    def width(self) -> float:
        """Return the width of the failure rate's interval, from 0 to 1.

        By the rule that holds while watching: what the next boots are spent on depends on what was seen.
        """
        low, high = anytime_interval(self.bad, self.told, self.confidence)
        return high - low


@dataclass(frozen=True, slots=True)
class Round:
    """Be the next boots: so many more of the campaign ``name``."""

    name: str
    boots: int


def next_round(arms: Sequence[Arm], remaining_s: float, round_s: float) -> Round | None:
    """Return the next round; None when nothing fits into the ``remaining_s`` seconds any more.

    A campaign without any boot gets a few even when the time is up: of each new build, something is known. Else it goes
    to the arm with the widest interval that fits, and lasts about ``round_s`` seconds, in whole turns of all variants
    as far as there is room. An arm that was never timed gets a few boots, in whole turns.
    """
    for arm in sorted(arms, key=lambda arm: (-arm.width, arm.told, arm.name)):
        if remaining_s <= 0 and (arm.told or arm.boot_s is not None):
            continue
        if arm.boot_s is None:
            return Round(arm.name, arm.variants * -(-_FIRST_BOOTS // arm.variants))
        boots = int(min(round_s, remaining_s) / arm.boot_s) if arm.boot_s > 0 else arm.variants
        turn_fits = arm.variants * arm.boot_s <= remaining_s
        if boots < arm.variants:
            # Shorter than a turn: a turn all the same, if the night has room for it.
            boots = arm.variants if turn_fits else boots
        else:
            boots -= boots % arm.variants
        if boots > 0:
            return Round(arm.name, boots)
    return None
