"""Find what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "listed"]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the choice nearest to ``word``, and nothing if none is near."""
    by_fold = {choice.casefold(): str(choice) for choice in choices}
    near = difflib.get_close_matches(word.casefold()[:80], by_fold, n=1, cutoff=0.6)
    return f" (did you mean {by_fold[near[0]]!r}?)" if near else ""


def listed(choices: Iterable[str]) -> str:
    """Return the choices for a sentence, in the order given: ``a, b, c``."""
    return ", ".join(choices)
