"""Write what a reviewer can check: each position, its boots, failures by signature, and what follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.regress.journal import (
    Booted,
    Checked,
    Ended,
    Entry,
    Prepared,
    Recorded,
    Stage,
    Switched,
    Untestable,
    known_of,
)
from harness.stats.binomial import exact_interval
from harness.stats.bisect import Answer, AnswerKind, Known, Question, posterior_of
from harness.stats.bisect_posterior import Tally
from harness.units import format_duration, format_rate

__all__ = ["answer_sentence", "bits_left", "check_sentence", "host_kernels", "how_sure", "proof_lines", "rates_lines"]

_CERTAIN = 0.999


def answer_sentence(answer: Answer, labels: Sequence[str], known: Known, question: Question) -> str:
    """Return the answer in a sentence or two, with the numbers that carry it."""
    end = known.at(question.candidates)
    sure = how_sure(answer.probability)
    if answer.kind is AnswerKind.FOUND and answer.group is not None:
        return f"the failure begins with {labels[answer.group.first]} (probability {sure})"
    if answer.kind is AnswerKind.GROUP and answer.group is not None:
        first, last = max(1, answer.group.first), min(answer.group.last, question.candidates)
        names = "; ".join(labels[first : last + 1])
        return f"the failure begins with one of {last - first + 1}, which no boot can tell apart: {names} ({sure})"
    if answer.kind is AnswerKind.BEFORE:
        good = known.at(0)
        more = good.bad * end.told > 2 * end.bad * good.told
        swapped = "; it fails more often there: are good and bad swapped?" if more else ""
        return (
            f"no difference to search for: the good end has the failure too, {_share(good)}, and the bad end "
            f"{_share(end)}; it began before the range{swapped}"
        )
    if answer.kind is AnswerKind.ABSENT:
        return (
            f"no difference: the bad end failed in {_share(end)} boots, so its rate is below "
            f"{format_rate(question.min_rate)} (95%); is it the right setting, the right signature?"
        )
    if answer.kind is AnswerKind.SWAPPED:
        there = _share(known.at(0))
        return f"good and bad seem swapped: the bad end failed in {_share(end)} boots, the good end in {there}"
    groups = posterior_of(question, known).credible(question.confidence)
    names = "; ".join(_group(group.first, group.last, labels) for group in groups)
    return f"undecided after {known.boots} boots; with {format_rate(question.confidence)} it is one of: {names}"


def how_sure(probability: float) -> str:
    """Render the probability of an answer: ``97%``, ``99.4%``, and never 100%, for nothing is certain."""
    return format_rate(probability) if probability < _CERTAIN else f"above {format_rate(_CERTAIN)}"


def check_sentence(entries: Sequence[Entry], stage: Stage) -> str | None:
    """Say whether what is in place at position 0 fails by itself, and in how many boots; None: nothing was checked.

    ``entries`` are those of the stage, or all of the journal.
    """
    own = [entry for entry in entries if entry.stage == stage.stage]
    # What was decided rests on the boots that were made by then.
    for number, entry in enumerate(own):
        known = known_of(own[:number], stage.stage)
        if isinstance(entry, Checked):
            does = "fails" if entry.enough else "does not fail"
            return f"{stage.labels[0]}, it {does} by itself: {_share(known.at(0))} boots"
        if isinstance(entry, Untestable) and entry.position == 0:
            return f"{stage.labels[0]}, it cannot be tested by itself: {entry.brief}"
    return None


def _share(tally: Tally) -> str:
    return f"{tally.bad} of {tally.told}"


def _group(first: int, last: int, labels: Sequence[str]) -> str:
    if first == 0:
        return "before the range"
    if first == len(labels):
        return "not even at the bad end"
    return (
        labels[first]
        if first == last
        else f"{labels[first]} to {labels[min(last, len(labels) - 1)]} ({last - first + 1})"
    )


def rates_lines(known: Known, culprit: int) -> list[str]:
    """Return the failure rates before and from the culprit on, each with its exact 95% interval."""
    lines = []
    for name, positions in (
        ("before", [at for at in known.tallies if at < culprit]),
        ("from there on", [at for at in known.tallies if at >= culprit]),
    ):
        tally = sum((known.at(at) for at in positions), Tally())
        low, high = exact_interval(tally.bad, tally.told, 0.95)
        lines.append(f"{name}: {_share(tally)} boots failed (95%: {format_rate(low)} to {format_rate(high)})")
    return lines


def proof_lines(entries: Sequence[Entry]) -> list[str]:
    """Return the log of all searches: a line for each position, with the posterior of its candidate."""
    lines = [_recorded_sentence(entry) for entry in entries if isinstance(entry, Recorded)]
    for stage in (entry for entry in entries if isinstance(entry, Stage)):
        own = [entry for entry in entries if entry.stage == stage.stage]
        known = known_of(own, stage.stage)
        posterior = posterior_of(stage.question, known)
        said = check_sentence(own, stage)
        if said is not None and not any(isinstance(entry, Ended) for entry in own):
            # No search, but the question whether what is in place is enough; it has no posterior.
            spent_s = sum(boot.duration_s for boot in own if isinstance(boot, Booted))
            lines.append(f"check {stage.stage + 1}: {said}, {format_duration(spent_s)}")
            continue
        lines.append(f"search {stage.stage + 1}: {len(stage.labels) - 1} candidates, {stage.what}")
        refused = {entry.position: entry.brief for entry in own if isinstance(entry, Untestable)}
        digests = {entry.position: entry.digest for entry in own if isinstance(entry, Prepared)}
        for position in sorted({*known.tallies, *refused}):
            tally = known.at(position)
            chance = posterior.probability(position, position)
            digest = digests.get(position)
            image = f" sha256:{digest[:12]}" if digest else ""
            lines.append(
                f"  {position:>5} {stage.labels[position]}: {tally.bad} bad, {tally.good} good, {tally.other} other; "
                f"begins here {format_rate(chance)}{image}"
            )
            lines += [f"        ran on the host as {text}" for text in host_kernels(own, position)]
            if position in refused:
                lines.append(f"        cannot be tested: {refused[position]}")
            boots = [entry for entry in own if isinstance(entry, Booted) and entry.position == position]
            kinds = Counter((boot.counts, boot.signature) for boot in boots if boot.signature is not None)
            for (counts, signature), count in kinds.most_common():
                first = next(boot.folder for boot in boots if boot.signature == signature)
                lines.append(f"        {count} {counts}: {signature.partition(chr(10))[0]} (first: {first})")
        booted = [entry for entry in own if isinstance(entry, Booted)]
        spent = format_duration(sum(boot.duration_s for boot in booted))
        before, after = posterior.probability(0, 0), posterior.probability(len(stage.labels), len(stage.labels))
        lines.append(f"  before the range {format_rate(before)}, not even at the bad end {format_rate(after)}")
        earlier = f"; {known.boots - len(booted)} more were known before" if known.boots > len(booted) else ""
        lines.append(f"  {len(booted)} boots of {spent} in all{earlier}")
        switches = [entry.took_s for entry in own if isinstance(entry, Switched) and entry.took_s]
        if switches:
            took = format_duration(sum(switches))
            lines.append(f"  {len(switches)} switches of the host's kernel, {took} in all")
    return lines


def _recorded_sentence(one: Recorded) -> str:
    tally, cpu = one.tally, one.parts.get("CPU") or "an unknown CPU"
    runs = ", ".join(one.runs)
    return (
        f"recorded before ({runs}), as {one.platform} on {cpu}, the {one.end} end: {tally.bad} bad, {tally.good} good, "
        f"{tally.other} other"
    )


def host_kernels(entries: Sequence[Entry], position: int) -> list[str]:
    """Return what the host was seen to run for a position: release, build id, or why it was not compared, and time."""
    own = [entry for entry in entries if isinstance(entry, Switched) and entry.position == position]
    found = []
    for (release, build_id, note), count in Counter((one.release, one.build_id, one.note) for one in own).items():
        took_s = sum(one.took_s for one in own if (one.release, one.build_id, one.note) == (release, build_id, note))
        build = note if build_id is None else f"build id {build_id[:12]}"
        times = "once" if count == 1 else f"{count} times"
        put = f"put there {times}, {format_duration(took_s)}" if took_s else "it ran already"
        found.append(f"{release} ({build}; {put})")
    return found


def bits_left(entries: Sequence[Entry], stage: Stage) -> list[tuple[int, float, int, int]]:
    """Return, after each boot: its number, the bits left, and the first and last candidate of the credible set."""
    seen: list[Entry] = []
    rows = []
    for entry in entries:
        if entry.stage != stage.stage:
            continue
        seen.append(entry)
        if isinstance(entry, Booted):
            known = known_of(seen, stage.stage)
            posterior = posterior_of(stage.question, known)
            groups = posterior.credible(stage.question.confidence)
            rows.append((known.boots, posterior.entropy_bits, groups[0].first, groups[-1].last))
    return rows
