"""Answer `git bisect run` about one commit, from up to N boots of each variant: good, bad, or cannot tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from harness.campaign import run_workers
from harness.units import format_rate

__all__ = ["CommitBoots", "CommitWord", "ask_boots", "shown_rate"]

# A variant that told nothing so often in a row cannot be tested.
_TOLD_NOTHING = 5
# The rates to speak of: the lowest that is seen in 95% of the answers.
_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_SEEN = 0.95


class CommitWord(StrEnum):
    """Name what git is told of a commit."""

    GOOD = "good"
    BAD = "bad"
    CANNOT_TELL = "cannot tell"


def shown_rate(boots: int) -> tuple[float, float]:
    """Return a failure rate, and in which share of answers of ``boots`` boots it shows itself; fractions of 1.

    It is the lowest of a few round rates that shows itself in 95%, or 50% where so few boots show none of them.
    """
    shares = [(rate, 1 - (1 - rate) ** boots) for rate in _RATES]
    return next((pair for pair in shares if pair[1] >= _SEEN), shares[-1])


@dataclass
class _Variant:
    good: int = 0
    running: int = 0
    nothing: int = 0
    in_a_row: int = 0


@dataclass
class CommitBoots:
    """Count the boots of a commit: ``boots`` that tell something are wanted of each of ``variants`` (at least one).

    A boot that told nothing counts neither way and is made up for, until five in a row, or as many as are wanted, told
    nothing: then that variant cannot be tested. The first failure ends it all.
    """

    boots: int
    variants: int = 1
    failure: str | None = None
    last_nothing: str = ""
    made: int = 0
    _each: list[_Variant] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no boot."""
        self._each = [_Variant() for _ in range(self.variants)]

    def take(self) -> tuple[int, int] | None:
        """Begin a boot: return its variant (from 0) and its number (from 1); None: none has to begin now."""
        if self.failure is not None:
            return None
        open_ = [
            place
            for place, one in enumerate(self._each)
            if one.good + one.running < self.boots and not self._given_up(one)
        ]
        if not open_:
            return None
        place = min(open_, key=lambda place: self._each[place].good + self._each[place].running)
        self._each[place].running += 1
        self.made += 1
        return place, self.made

    def count(self, place: int, counts: str, what: str) -> None:
        """Count a boot of variant ``place``: bad, good or other; ``what`` says which boot it was, and how it ended."""
        one = self._each[place]
        one.running -= 1
        if counts == "bad":
            self.failure = self.failure or what
        elif counts == "good":
            one.good, one.in_a_row = one.good + 1, 0
        else:
            one.nothing, one.in_a_row = one.nothing + 1, one.in_a_row + 1
            self.last_nothing = what

    def _given_up(self, one: _Variant) -> bool:
        return one.nothing >= self.boots or one.in_a_row >= _TOLD_NOTHING

    @property
    def good(self) -> int:
        """Return how many boots were good."""
        return sum(one.good for one in self._each)

    @property
    def nothing(self) -> int:
        """Return how many boots told nothing."""
        return sum(one.nothing for one in self._each)

    @property
    def word(self) -> CommitWord:
        """Return the answer, as far as the boots that have ended give one."""
        if self.failure is not None:
            return CommitWord.BAD
        whole = self.variants > 0 and all(one.good >= self.boots for one in self._each)
        return CommitWord.GOOD if whole else CommitWord.CANNOT_TELL

    def sentence(self) -> str:
        """Say the answer, and what it is worth."""
        if self.word is CommitWord.BAD:
            return f"bad: {self.failure}; right as far as a good commit never fails like this"
        told_nothing = f"; {self.nothing} more told nothing, such as {self.last_nothing}" if self.nothing else ""
        if self.word is CommitWord.GOOD:
            rate, share = shown_rate(self.boots)
            several = f" of each of {self.variants} variants" if self.variants > 1 else ""
            boots = f"{self.boots} boot{'s' if self.boots > 1 else ''}{several}"
            where = " of one of them" if self.variants > 1 else ""
            return (
                f"good: {boots} without it; a failure of {format_rate(rate)}{where} would have shown itself in "
                f"{share:.1%} of such answers{told_nothing}"
            )
        if not self.made:
            return f"cannot tell: nothing could run here{': ' if self.last_nothing else ''}{self.last_nothing}"
        wanted = f"{self.good} of {self.boots * self.variants} boots were good and none failed"
        return f"cannot tell: {wanted}{told_nothing}"


async def ask_boots(
    account: CommitBoots, boot: Callable[[int, int], Awaitable[tuple[str, str]]], parallel: int
) -> None:
    """Make the boots that the account asks for, at most ``parallel`` at a time, until it asks for none.

    ``boot`` gets variant and number, and returns how the boot counts and what to say of it. After a failure no boot
    begins, and those that run come to their end.

    :raise HostError: as ``boot``.
    """

    async def work() -> None:
        while (taken := account.take()) is not None:
            counts, what = await boot(*taken)
            account.count(taken[0], counts, what)

    await run_workers(work, parallel)
