"""Tell whether, and when, a series changed: failure counts by likelihood ratio, times by ranks.

Both scan every place where a series of nights could be cut in two, take the cut that explains the series best, and ask
how often chance alone gives a cut as good. The answer is exact for any number of nights, because chance is played out
under the condition of what was seen: the failures of all nights are dealt out anew to the boots of all nights (a
multivariate hypergeometric deal), the nights' times are put in another order. So under no change a p-value of at most
x comes up with a probability of at most x (Barnard, "Monte Carlo tests", 1963); tests/stats counts it. Sources of the
statistics: Hinkley and Hinkley, "Inference about the change-point in a sequence of binomial variables" (1970);
Pettitt, "A non-parametric approach to the change-point problem" (1979).

``confidence`` is 1 - p of one look at one series. Who looks at many series takes :func:`holm` first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ChangePoint", "fisher_p", "holm", "mann_whitney_p", "rate_change", "time_change"]

# Deals: first few, which tell an ordinary series; then many, for one that few deals cannot tell from certain.
_FEW, _MANY = 499, 19_999
_SEED = 20_261_122
# 2 * 3! * 3! of 6! orders have their three lowest, or highest, in front.
_FEWEST_NIGHTS = 6


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Name the most likely change of a series: ``index`` is the first night behind it.

    ``before`` and ``after`` are the pooled failure rates, or the medians. ``p`` is how often chance alone gives a
    change as clear as this.
    """

    index: int
    before: float
    after: float
    p: float

    @property
    def confidence(self) -> float:
        """Return 1 - p."""
        return 1 - self.p


def rate_change(nights: Sequence[tuple[int, int]]) -> ChangePoint | None:
    """Find the most likely change of a failure rate; each night is ``(bad, boots)``.

    None if nothing could show one: fewer than two nights with boots, or all boots alike.
    """
    import numpy as np

    for bad, boots in nights:
        if not 0 <= bad <= boots:
            raise ValueError(f"{bad} of {boots} boots cannot have failed")
    bads = np.array([bad for bad, _ in nights], dtype=np.int64)
    sizes = np.array([boots for _, boots in nights], dtype=np.int64)
    total_bad, total = int(bads.sum()), int(sizes.sum())
    if np.count_nonzero(sizes) < 2 or total_bad in (0, total):
        return None
    scores = _likelihood(bads[np.newaxis, :], sizes)[0]
    index = int(scores.argmax()) + 1
    generator = np.random.default_rng(_SEED)

    def deal(count: int) -> Floats:
        dealt = generator.multivariate_hypergeometric(sizes, total_bad, size=count, method="marginals")
        return _best(_likelihood(dealt, sizes))

    p = _played_out(float(scores.max()), deal)
    before = bads[:index].sum() / sizes[:index].sum()
    after = bads[index:].sum() / sizes[index:].sum()
    return ChangePoint(index, float(before), float(after), p)


def time_change(nights: Sequence[float]) -> ChangePoint | None:
    """Find the most likely change of a time; each night is its median, which a crowd of boots cannot outvote.

    Boots of one night share the night's machine, so nights, not boots, are put in another order. None if nothing could
    show a change: all nights are alike, or they are fewer than six, which even in the clearest order come about by
    chance more often than once in ten.
    """
    import numpy as np
    from scipy.stats import rankdata

    if len(nights) < _FEWEST_NIGHTS or len(set(nights)) == 1:
        return None
    ranks = np.asarray(rankdata(nights), dtype=np.float64)
    scores = _rank_sums(ranks[np.newaxis, :])[0]
    index = int(scores.argmax()) + 1
    generator = np.random.default_rng(_SEED)

    def deal(count: int) -> Floats:
        return _best(_rank_sums(generator.permuted(np.tile(ranks, (count, 1)), axis=1)))

    p = _played_out(float(scores.max()), deal)
    return ChangePoint(index, float(np.median(nights[:index])), float(np.median(nights[index:])), p)


def fisher_p(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return how often chance alone makes ``after`` at least as bad as it is, both ``(bad, boots)`` of one rate.

    Fisher's exact test, one-sided: swap the two to ask whether it got better. 1 if either has no boots.
    """
    from scipy.stats import hypergeom

    (bad_before, boots_before), (bad_after, boots_after) = before, after
    if not boots_before or not boots_after:
        return 1.0
    bad = bad_before + bad_after
    return min(1.0, float(hypergeom.sf(bad_after - 1, boots_before + boots_after, bad, boots_after)))


def mann_whitney_p(before: Sequence[float], after: Sequence[float]) -> float:
    """Return how often chance alone parts two samples of one distribution as far as these, either way.

    1 if one is empty. Mann and Whitney (1947): by ranks, so that one boot that waited for an hour is one boot.
    """
    from scipy.stats import mannwhitneyu

    if not before or not after or len({*before, *after}) == 1:
        return 1.0
    return float(mannwhitneyu(before, after, alternative="two-sided").pvalue)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values as they are after looking at all of them; in their order.

    Holm, "A simple sequentially rejective multiple test procedure" (1979): no more than x of all looks together are
    wrong with p up to x, whatever depends on what.
    """
    adjusted = [1.0] * len(ps)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = worst
    return tuple(adjusted)


def _played_out(seen: float, deal: Callable[[int], Floats]) -> float:
    # Rounding must not make a deal that is the same as the series look worse than it.
    floor = seen - 1e-9 * max(1.0, abs(seen))
    count = _FEW
    reached = int((deal(count) >= floor).sum())
    if reached <= 4:
        more = _MANY - _FEW
        reached += int((deal(more) >= floor).sum())
        count += more
    return (1 + reached) / (1 + count)


def _best(scores: Floats) -> Floats:
    best: Floats = scores.max(axis=1)
    return best


def _likelihood(bads: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    # The gain in log likelihood of two rates over one, for each row and each cut behind column i.
    import numpy as np
    from scipy.special import xlogy

    left_bad, left = bads.cumsum(axis=1)[:, :-1], sizes.cumsum()[:-1]
    total_bad, total = bads.sum(axis=1, keepdims=True), sizes.sum()

    def best(bad: Any, boots: Any) -> Any:
        good = boots - bad
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(boots > 0, bad / np.maximum(boots, 1), 0.0)
        return xlogy(bad, rate) + xlogy(good, 1 - rate)

    gains = best(left_bad, left) + best(total_bad - left_bad, total - left) - best(total_bad, total)
    result: Floats = np.asarray(gains, dtype=np.float64)
    return result


def _rank_sums(ranks: Floats) -> Floats:
    # How far the ranks' sum before each cut is from what it is without a change, in standard deviations: unweighted, as
    # Pettitt has it, the middle of the series would win and a change of last night never show.
    import numpy as np

    count = ranks.shape[1]
    before = np.arange(1, count)
    expected = before * (count + 1) / 2
    spread = np.sqrt(before * (count - before) * (count + 1) / 12)
    result: Floats = np.abs(ranks.cumsum(axis=1)[:, :-1] - expected) / spread
    return result
