"""Follow all possible campaigns at once: the exact probability of every count, and of every rule having stopped."""

from collections.abc import Callable

import numpy as np

__all__ = ["RATES", "ever_probability"]

#: From nothing fails to every second boot fails.
RATES = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)


def ever_probability(rate: float, boots: int, stops: Callable[[int, int], bool]) -> float:
    """Return how likely ``stops(bad, boots)`` is true at any moment of a campaign of ``boots``; no random numbers."""
    alive = np.zeros(boots + 2)
    alive[0] = 1.0
    stopped = 0.0
    for made in range(1, boots + 1):
        alive[1:] = alive[1:] * (1 - rate) + alive[:-1] * rate
        alive[0] *= 1 - rate
        for bad in range(made + 1):
            # What is less likely than this cannot matter: there are fewer than 1e6 of them.
            if alive[bad] > 1e-15 and stops(bad, made):
                stopped += float(alive[bad])
                alive[bad] = 0.0
    return stopped
