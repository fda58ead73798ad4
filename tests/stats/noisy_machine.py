"""Make the times of boots on a busy machine: it drifts, its noise remembers, and it has bad moments."""

import numpy as np

__all__ = ["busy_times"]


def busy_times(generator: np.random.Generator, pairs: int) -> list[tuple[float, float]]:
    """Return (A's, B's) durations in seconds, drawn by lot within each pair; both settings are the same."""
    boots = 2 * pairs
    drift = np.linspace(0, generator.uniform(-0.5, 0.5), boots)
    noise = np.zeros(boots)
    steps = generator.standard_t(3, boots) * 0.04
    for at in range(1, boots):
        noise[at] = 0.9 * noise[at - 1] + steps[at]
    stall = np.where(generator.random(boots) < 0.05, generator.uniform(1.5, 10, boots), 1.0)
    times = 4.0 * np.exp(drift + noise) * stall * generator.lognormal(0, 0.03, boots)
    first = generator.random(pairs) < 0.5
    return [
        (float(times[2 * at]), float(times[2 * at + 1]))
        if first[at]
        else (float(times[2 * at + 1]), float(times[2 * at]))
        for at in range(pairs)
    ]
