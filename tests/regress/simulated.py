"""Boot nothing: a setting fails at a rate that the test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.regress.journal import Journal
from harness.regress.search import Searcher

__all__ = ["searcher"]


def searcher(folder: Path, rate: Callable[[Mapping[str, str]], float], parallel: int = 1, seed: int = 4) -> Searcher:
    draws = random.Random(seed)

    async def boot(values: Mapping[str, str], number: int) -> tuple[str, str | None, str | None, float]:
        wanted = rate(values)
        if wanted < 0:
            return "other", "panic", None, 1.0
        failed = draws.random() < wanted
        return ("bad", "hang", f"boots/{number:04d}", 2.0) if failed else ("good", None, None, 1.0)

    return Searcher(Journal(folder / "journal.jsonl"), boot, parallel, 0.0, lambda _: None, lambda _: None)
