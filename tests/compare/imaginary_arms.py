"""Make comparisons of two settings on a busy machine, without booting anything."""

from __future__ import annotations

import numpy as np
from sample_campaign import boot_line

from harness.checks.base import Status
from harness.compare.arms import START_UP, Arm, ArmBoot
from harness.results.record import BootLine

__all__ = ["arm_of", "imaginary_arms"]

PHASES = ("firmware", "kernel", "init", "network", "ssh")
_SHARES = np.array([0.1, 0.45, 0.3, 0.05, 0.1])
_KINDS = ("guest-panic: double fault", "guest-oops: NULL pointer", "hang: idle")


def arm_of(label: str, pattern: str, signature: str = "guest-panic: x") -> Arm:
    """Make an arm without times: ``.`` passed, ``F`` failed with ``signature``, ``?`` told nothing."""
    statuses = {".": Status.PASS, "F": Status.FAIL, "?": Status.INCONCLUSIVE}
    lines = [boot_line(turn, statuses[letter], signature) for turn, letter in enumerate(pattern, start=1)]
    return Arm(label, f"setting {label}", tuple(ArmBoot(line, None, {}) for line in lines))


def imaginary_arms(
    generator: np.random.Generator, boots: int, rates: tuple[float, float] = (0.1, 0.1), slower: float = 1.0
) -> tuple[Arm, Arm]:
    """Make ``boots`` of each arm that fail at ``rates``, in three ways; B's kernel takes ``slower`` times as long.

    The machine drifts by up to half, its noise remembers (0.9 from boot to boot) and has fat tails, and one boot in
    twenty meets a moment in which everything takes up to ten times as long.
    """
    number = 2 * boots
    drift = np.linspace(0, generator.uniform(-0.5, 0.5), number)
    steps = generator.standard_t(3, number) * 0.04
    noise = np.zeros(number)
    for at in range(1, number):
        noise[at] = 0.9 * noise[at - 1] + steps[at]
    stall = np.where(generator.random(number) < 0.05, generator.uniform(1.5, 10, number), 1.0)
    whole = 4.0 * np.exp(drift + noise) * stall
    arms: tuple[list[ArmBoot], list[ArmBoot]] = ([], [])
    for block in range(boots):
        for place, side in enumerate(generator.permutation(2)):
            shares = _SHARES * generator.lognormal(0, 0.05, len(PHASES))
            shares[1] *= slower if side else 1.0
            times = {name: float(t) for name, t in zip(PHASES, whole[2 * block + place] * shares, strict=True)}
            failed = generator.random() < rates[side]
            line = _line(block + 1, failed, _KINDS[generator.choice(3, p=[0.6, 0.3, 0.1])])
            if failed:
                # It came no further than its kernel.
                times = {name: times[name] for name in PHASES[:2]}
            else:
                times[START_UP] = sum(times.values())
            arms[side].append(ArmBoot(line, block, times))
    return Arm("A", "setting A", tuple(arms[0])), Arm("B", "setting B", tuple(arms[1]))


def _line(turn: int, failed: bool, kind: str) -> BootLine:
    return boot_line(turn, Status.FAIL if failed else Status.PASS, kind)
