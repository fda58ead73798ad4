"""Carry out a search: make positions ready, boot them, write the journal, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from harness.campaign import run_workers
from harness.errors import EvidenceLost, HostError, InputError
from harness.regress.host_kernel import HostDown, SearchHost
from harness.regress.journal import (
    Booted,
    Ended,
    Entry,
    Journal,
    Prepared,
    Stage,
    Switched,
    Untestable,
    ended_of,
    known_of,
)
from harness.regress.span import CannotTest, Place, Span
from harness.stats.bisect import Answer, Known, Question, next_step, posterior_of
from harness.stats.bisect_choice import Batch, Costs
from harness.stats.bisect_posterior import Tally

__all__ = ["BootOnce", "Result", "Searcher", "Standing", "learn_costs", "tells_nothing"]

# What is assumed until one was made, in seconds.
_BOOT_S = 20.0
_BUILD_S = 60.0
_TOLD_NOTHING = 5
# One whose earlier boots told something, and so many in a row then nothing, has another cause: the host.
_NOTHING_ANY_MORE = 20

#: Boot a setting once, as the boot of that number; says how it counts.
BootOnce = Callable[[Mapping[str, str], int], Awaitable[tuple[str, str | None, str | None, float]]]


@dataclass(frozen=True, slots=True)
class Result:
    """Be how a search ended, and what was known then."""

    answer: Answer
    known: Known


@dataclass(frozen=True, slots=True)
class Standing:
    """Say what a search is at: a position that is made ready, or booted, as ``booting`` tells, with its boots so far.

    ``left_bits`` is what is left to decide; None where nothing is weighed.
    """

    label: str
    tally: Tally
    booting: bool
    left_bits: float | None = None


def learn_costs(entries: list[Entry], stage: int, switch_s: float, installed: int | None, builds: bool) -> Costs:
    """Return what steps have cost so far, and what is assumed of those that were not made yet.

    ``switch_s`` is what a switch of the host's kernel is thought to take until one was made; 0: none is needed.
    """
    boots = [entry for entry in entries if isinstance(entry, Booted) and entry.counts != "other"]
    good = [entry.duration_s for entry in boots if entry.counts == "good"]
    bad = [entry.duration_s for entry in boots if entry.counts == "bad"]
    made = [entry for entry in entries if isinstance(entry, Prepared)]
    took = [entry.took_s for entry in made if entry.took_s]
    boot_s = fmean(good or bad or [_BOOT_S])
    build_s = (fmean(took) if took else _BUILD_S) if builds else 0.0
    built = frozenset(entry.position for entry in made if entry.stage == stage)
    switched = [entry.took_s for entry in entries if isinstance(entry, Switched) and entry.took_s]
    if switch_s and switched:
        switch_s = fmean(switched)
    return Costs(boot_s, fmean(bad) if bad else boot_s, switch_s, build_s, built, installed)


def tells_nothing(tally: Tally) -> bool:
    """Tell whether a position cannot be tested: its first boots have all ended in another way than good or bad."""
    return tally.told == 0 and tally.other >= _TOLD_NOTHING


@dataclass
class Searcher:
    """Search spans one after the other, all in one journal; what is recorded already is not done again.

    ``parallel`` boots run at a time. ``switch_s`` is what another kernel on the host is thought to cost, where a
    position needs one. ``say`` gets a sentence about what happens, ``show`` what is under way. ``settle`` turns the
    values of a position into what a scenario takes. ``host`` None: boots need nothing of their host.
    """

    journal: Journal
    boot: BootOnce
    parallel: int
    switch_s: float
    say: Callable[[str], None]
    show: Callable[[Standing], None]
    settle: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    host: SearchHost | None = None

    async def search(self, stage: int, span: Span, question: Question, inherited: Mapping[int, Tally]) -> Result:
        """Search one span; ``inherited`` are boots that an earlier search made of the same positions.

        :raise InputError: if an end cannot be tested.
        :raise HostError: if the journal cannot be written, or the host is lost.
        """
        entries = self.read(stage, span, question, inherited)
        if question.max_boots is not None:
            # The limit is one of boots that are made here.
            before = sum(tally.told + tally.other for tally in inherited.values())
            question = replace(question, max_boots=question.max_boots + before)
        places: dict[int, Place] = {}
        installed: int | None = None
        while True:
            known = known_of(entries, stage)
            step = next_step(question, known, self._costs(entries, stage, span, installed))
            if isinstance(step, Answer):
                group = step.group
                first, last = (None, None) if group is None else (group.first, group.last)
                ended = Ended(stage, step.kind, first, last, step.probability)
                if ended_of(entries, stage) != ended:
                    self.journal.append(ended)
                return Result(step, known)
            if step.position not in places:
                self.show(Standing(span.labels[step.position], known.at(step.position), booting=False))
                place = await self._prepare(stage, span, step.position, entries)
                if place is None:
                    continue
                places[step.position] = place
                continue  # what it is identical to may have changed the question
            installed = None
            if not await self._install(stage, span, step.position, places[step.position], entries):
                continue
            installed = step.position
            await self._batch(stage, span, step, places[step.position], entries, question)
            if self.host is not None and entries and getattr(entries[-1], "counts", "") == "other":
                await self.host.check()  # what told nothing may be the host's fault
            self._give_up_on(stage, span, step.position, entries)

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
        """Boot one position up to ``boots`` times; the first failure with the signature ends it.

        :raise CannotTest: if it cannot be made ready, or the host does not come up with it.
        """
        place = await self._place(span, position)
        await self._put_on_host(stage, span, position, place, entries)
        await self._batch(stage, span, Batch(position, boots), place, entries)

    def _costs(self, entries: list[Entry], stage: int, span: Span, installed: int | None) -> Costs:
        costs = learn_costs(entries, stage, self.switch_s if span.hosts else 0.0, installed, span.builds)
        costs = replace(costs, at_once=self._at_once())
        if not span.hosts or installed is None:
            return costs
        same = (at for at, host in enumerate(span.hosts) if host == span.hosts[installed])
        return replace(costs, alike=frozenset(same))

    async def _install(self, stage: int, span: Span, position: int, place: Place, entries: list[Entry]) -> bool:
        # False: the host does not come up with it, and the journal says so.
        try:
            await self._put_on_host(stage, span, position, place, entries)
        except CannotTest as error:
            self._refuse(stage, span, position, str(error), entries)
            return False
        except HostDown as error:
            # So that who goes on does not let it go down once more.
            if position not in (0, len(span.labels) - 1):
                self._refuse(stage, span, position, str(error), entries)
            raise
        return True

    async def _put_on_host(self, stage: int, span: Span, position: int, place: Place, entries: list[Entry]) -> None:
        if self.host is None:
            return
        try:
            installed = await self.host.install(place.values)
        except EvidenceLost as lost:
            raise HostError(str(lost)) from lost
        if installed is None:
            return
        entry = Switched(stage, position, installed.release, installed.build_id, installed.note, installed.took_s)
        self.journal.append(entry)
        entries.append(entry)
        took = f" after {installed.took_s:.0f} s" if installed.took_s else " already"
        self.say(f"{span.labels[position]}: the host runs {installed.release}{took}")

    async def _place(self, span: Span, position: int) -> Place:
        def make() -> Place:
            place = span.prepare(position)
            try:
                return replace(place, values=self.settle(place.values))
            except (HostError, InputError) as error:
                raise CannotTest(str(error)) from error

        return await asyncio.to_thread(make)

    async def _prepare(self, stage: int, span: Span, position: int, entries: list[Entry]) -> Place | None:
        # None: it cannot be tested, and the journal says so.
        try:
            place = await self._place(span, position)
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
        self.say(f"{span.labels[position]}: cannot be tested: {refused.brief}")

    def _give_up_on(self, stage: int, span: Span, position: int, entries: list[Entry]) -> None:
        tally = known_of(entries, stage).at(position)
        if tells_nothing(tally):
            last = next(entry for entry in reversed(entries) if isinstance(entry, Booted))
            why = f"{tally.other} boots were neither good nor bad, such as {last.signature}"
            self._refuse(stage, span, position, why, entries)
            return
        boots = [entry for entry in entries if isinstance(entry, Booted)]
        last_ones = boots[-_NOTHING_ANY_MORE:]
        if len(last_ones) == _NOTHING_ANY_MORE and all(
            (boot.stage, boot.position, boot.counts) == (stage, position, "other") for boot in last_ones
        ):
            raise HostError(
                f"{span.labels[position]}: earlier boots told something, but the last {_NOTHING_ANY_MORE} did not, "
                f"such as {last_ones[-1].signature}; look after the host"
            )

    async def _batch(
        self, stage: int, span: Span, batch: Batch, place: Place, entries: list[Entry], question: Question | None = None
    ) -> None:
        # Several at a time; after the first failure none begins, and those that run come to their end and count.
        made = sum(isinstance(entry, Booted) for entry in entries)
        begun, failed, nothing = 0, False, 0

        def show() -> None:
            known = known_of(entries, stage)
            left_bits = None if question is None else posterior_of(question, known).entropy_bits
            self.show(
                Standing(span.labels[batch.position], known.at(batch.position), booting=True, left_bits=left_bits)
            )

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
                show()

        show()
        await run_workers(work, self._at_once())

    def _at_once(self) -> int:
        return self.parallel if self.host is None else self.host.at_once(self.parallel)
