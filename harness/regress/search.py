"""Carry out a search: make positions ready, boot them, write the journal, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from harness.errors import InputError
from harness.regress.journal import Booted, Ended, Entry, Journal, Prepared, Stage, Untestable, known_of
from harness.regress.span import CannotTest, Place, Span
from harness.stats.bisect import Answer, Known, Question, next_step, posterior_of
from harness.stats.bisect_choice import Batch, Costs
from harness.stats.bisect_posterior import Tally

__all__ = ["BootOnce", "Result", "Searcher", "learn_costs"]

# What is assumed until one was made, in seconds.
_BOOT_S = 20.0
_BUILD_S = 60.0
# A position whose first boots all end in another way than good or bad cannot be tested.
_TOLD_NOTHING = 5

#: Boot a setting once, as the boot of that number; says how it counts.
BootOnce = Callable[[Mapping[str, str], int], Awaitable[tuple[str, str | None, str | None, float]]]


@dataclass(frozen=True, slots=True)
class Result:
    """Be how a search ended, and what was known then."""

    answer: Answer
    known: Known


def learn_costs(entries: list[Entry], stage: int, switch_s: float, installed: int | None, builds: bool) -> Costs:
    """Return what steps have cost so far, and what is assumed of those that were not made yet."""
    boots = [entry for entry in entries if isinstance(entry, Booted) and entry.counts != "other"]
    good = [entry.duration_s for entry in boots if entry.counts == "good"]
    bad = [entry.duration_s for entry in boots if entry.counts == "bad"]
    made = [entry for entry in entries if isinstance(entry, Prepared)]
    took = [entry.took_s for entry in made if entry.took_s]
    boot_s = fmean(good or bad or [_BOOT_S])
    build_s = (fmean(took) if took else _BUILD_S) if builds else 0.0
    built = frozenset(entry.position for entry in made if entry.stage == stage)
    return Costs(boot_s, fmean(bad) if bad else boot_s, switch_s, build_s, built, installed)


@dataclass
class Searcher:
    """Search spans one after the other, all in one journal; what is recorded already is not done again.

    ``parallel`` boots run at a time. ``switch_s`` is what another position costs before its first boot, beside a build.
    ``say`` gets a sentence about each step.
    """

    journal: Journal
    boot: BootOnce
    parallel: int
    switch_s: float
    builds: bool
    say: Callable[[str], None]

    async def search(self, stage: int, span: Span, question: Question, inherited: Mapping[int, Tally]) -> Result:
        """Search one span; ``inherited`` are boots that an earlier search made of the same positions.

        :raise InputError: if an end cannot be tested.
        :raise HostError: if the journal cannot be written.
        """
        entries = self.read(stage, span, question, inherited)
        places: dict[int, Place] = {}
        installed: int | None = None
        while True:
            known = known_of(entries, stage)
            step = next_step(question, known, learn_costs(entries, stage, self.switch_s, installed, self.builds))
            if isinstance(step, Answer):
                if not any(isinstance(entry, Ended) and entry.stage == stage for entry in entries):
                    group = step.group
                    first, last = (None, None) if group is None else (group.first, group.last)
                    self.journal.append(Ended(stage, step.kind, first, last, step.probability))
                return Result(step, known)
            if step.position not in places:
                place = await self._prepare(stage, span, step.position, entries)
                if place is None:
                    continue
                places[step.position] = place
                continue  # what it is identical to may have changed the question
            installed = step.position
            boots = max(step.boots, self.parallel)  # what would stand idle may boot too
            await self._batch(stage, Batch(step.position, boots), places[step.position], entries)
            self._give_up_on(stage, span, step.position, entries)
            known = known_of(entries, stage)
            tally = known.at(step.position)
            left = posterior_of(question, known).entropy_bits
            name = span.labels[step.position]
            self.say(f"{name}: {tally.bad} of {tally.told} failed; {left:.1f} bits left of the question")

    def read(self, stage: int, span: Span, question: Question, inherited: Mapping[int, Tally]) -> list[Entry]:
        """Read the journal, and begin the search in it if it has not begun.

        :raise InputError: if the journal holds another search at this place.
        """
        entries = list(self.journal.entries())
        begun = next((entry for entry in entries if isinstance(entry, Stage) and entry.stage == stage), None)
        if begun is None:
            begun = Stage(stage, span.what, span.labels, question, dict(inherited))
            self.journal.append(begun)
            entries.append(begun)
        elif begun.labels != span.labels:
            raise InputError(f"{self.journal.path}: the search was begun over other {span.what}; start a new one")
        return entries

    async def boot_position(self, stage: int, span: Span, position: int, boots: int, entries: list[Entry]) -> None:
        """Boot one position up to ``boots`` times; the first failure with the signature ends it."""
        place = await asyncio.to_thread(span.prepare, position)
        await self._batch(stage, Batch(position, boots), place, entries)

    async def _prepare(self, stage: int, span: Span, position: int, entries: list[Entry]) -> Place | None:
        # None: it cannot be tested, and the journal says so.
        try:
            place = await asyncio.to_thread(span.prepare, position)
        except CannotTest as error:
            self._refuse(stage, span, position, str(error), entries)
            return None
        ready = Prepared(stage, position, place.digest, place.took_s)
        if not any(
            isinstance(entry, Prepared) and (entry.stage, entry.position) == (stage, position) for entry in entries
        ):
            self.journal.append(ready)
            entries.append(ready)
        return place

    def _refuse(self, stage: int, span: Span, position: int, why: str, entries: list[Entry]) -> None:
        if position in (0, len(span.labels) - 1):
            end = "good" if position == 0 else "bad"
            raise InputError(f"the {end} end, {span.labels[position]}, cannot be tested: {why}")
        refused = Untestable(stage, position, why)
        self.journal.append(refused)
        entries.append(refused)
        self.say(f"{span.labels[position]}: cannot be tested: {why.splitlines()[0]}")

    def _give_up_on(self, stage: int, span: Span, position: int, entries: list[Entry]) -> None:
        tally = known_of(entries, stage).at(position)
        if tally.told == 0 and tally.other >= _TOLD_NOTHING:
            last = next(entry for entry in reversed(entries) if isinstance(entry, Booted))
            why = f"{tally.other} boots were neither good nor bad, such as {last.signature}"
            self._refuse(stage, span, position, why, entries)

    async def _batch(self, stage: int, batch: Batch, place: Place, entries: list[Entry]) -> None:
        # Several at a time; after the first failure none begins, and those that run come to their end and count.
        made = sum(isinstance(entry, Booted) for entry in entries)
        begun, failed, nothing = 0, False, 0

        async def work() -> None:
            nonlocal begun, failed, nothing
            while begun < batch.boots and not failed and nothing < _TOLD_NOTHING:
                begun += 1
                counts, signature, folder, duration_s = await self.boot(place.values, made + begun)
                assert counts in ("bad", "good", "other")
                entry = Booted(stage, batch.position, counts, signature, folder, duration_s)  # type: ignore[arg-type]
                self.journal.append(entry)
                entries.append(entry)
                failed = failed or counts == "bad"
                nothing = nothing + 1 if counts == "other" else 0

        async with asyncio.TaskGroup() as group:
            for _ in range(self.parallel):
                group.create_task(work())
