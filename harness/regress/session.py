"""Carry a bisection from its first boot, or from where it was cut short, to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.host.protocol import HostKind
from harness.regress.build import Builder
from harness.regress.commit_search import search_commits
from harness.regress.config_files import read_configs
from harness.regress.config_span import ConfigTree, config_differences
from harness.regress.git_range import Repository
from harness.regress.journal import Recorded
from harness.regress.proof import answer_sentence, rates_lines
from harness.regress.search import Result, Searcher
from harness.regress.span import Difference, Span, differences, list_span, setting_span
from harness.regress.spec import GitSource, Spec
from harness.regress.subset import SpanOf, minimise
from harness.stats.bisect import AnswerKind, Question

__all__ = ["Conclusion", "conclude"]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Be the answer: its kind, sentences for people, and the probability (a fraction of 1).

    ``title`` is ``Fixes:`` style, None where nothing was found. ``git_log`` is in git's own format, None without git.
    """

    kind: AnswerKind
    sentences: tuple[str, ...]
    probability: float
    title: str | None
    git_log: str | None


async def conclude(spec: Spec, searcher: Searcher, cache: Path, environment: dict[str, str]) -> Conclusion:
    """Search until there is an answer; what the journal holds is not done again.

    :raise InputError: if what is searched cannot be: an end that cannot be tested, no commits, a dirty tree.
    :raise HostError: if the journal or a record cannot be written.
    """
    if not any(isinstance(entry, Recorded) for entry in searcher.journal.entries()):
        for one in spec.recorded:
            searcher.journal.append(one)
    if spec.git is not None and spec.git.config_path is not None:
        return await _configurations(spec, spec.git, searcher, cache, environment)
    if spec.git is not None:
        return await _commits(spec, spec.git, searcher, cache, environment)
    if spec.list is not None:
        span = list_span(spec.list.variable, spec.list.values, here=spec.host == HostKind.LOCAL)
        question = _question(spec, span)
        result = await searcher.search(0, span, question, spec.known_ends(question.candidates))
        return _conclusion(result, span.labels, question, None, None)
    assert spec.setting is not None
    found = differences(spec.setting.good, spec.setting.bad)
    return await _smallest(spec, searcher, found, partial(setting_span, spec.setting.good), lambda needed: ())


async def _configurations(
    spec: Spec, source: GitSource, searcher: Searcher, cache: Path, environment: dict[str, str]
) -> Conclusion:
    assert source.config_path is not None
    repository = Repository(Path(source.repository))
    builder = Builder(repository, source.build, source.artifact, cache, source.build_limit_s, environment, searcher.say)
    good, bad = read_configs(searcher.journal.path.parent)
    commit = repository.commit(source.bad)
    tree = ConfigTree(builder, commit, source.into, source.config_path, good, searcher.say)
    found = config_differences(good, bad)
    searcher.say(f"symbols that differ: {len(found)}; building both configurations of {commit.label}")
    await asyncio.to_thread(tree.require_difference, found)
    return await _smallest(spec, searcher, found, tree.span, tree.brought_along)


async def _smallest(
    spec: Spec,
    searcher: Searcher,
    found: Sequence[Difference],
    span_of: SpanOf,
    more: Callable[[Sequence[Difference]], Sequence[str]],
) -> Conclusion:
    # ``more`` are further sentences about what is needed.
    question = Question(len(found), spec.confidence, spec.min_rate, spec.max_boots)
    minimum = await minimise(searcher, span_of, found, question, spec.known_ends(len(found)))
    if not minimum.needed:
        return _conclusion(minimum.rounds[-1], minimum.labels, question, None, None)
    names = tuple(one.label for one in minimum.needed)
    several = "these together make" if len(names) > 1 else "this alone makes"
    sentences: tuple[str, ...] = (f"of {len(found)} differences {several} the failure: {'; '.join(names)}",)
    if not minimum.whole:
        sentences += ("whether more is needed beside it was not decided",)
    sentences += tuple(await asyncio.to_thread(more, minimum.needed))
    decided = [result for result in minimum.rounds if result.answer.kind is AnswerKind.FOUND]
    group = decided[0].answer.group
    culprit = group.first if group else len(found)
    chance = min(result.answer.probability for result in decided)
    return Conclusion(
        AnswerKind.FOUND, (*sentences, *rates_lines(decided[0].known, culprit)), chance, "; ".join(names), None
    )


def _question(spec: Spec, span: Span, confidence: float | None = None) -> Question:
    # The good end costs only its boots, unless the host has to be rebooted for them.
    first = spec.good_end_first and not span.hosts
    return Question(len(span.candidates), confidence or spec.confidence, spec.min_rate, spec.max_boots, first)


async def _commits(
    spec: Spec, source: GitSource, searcher: Searcher, cache: Path, environment: dict[str, str]
) -> Conclusion:
    repository = Repository(Path(source.repository))
    builder = Builder(repository, source.build, source.artifact, cache, source.build_limit_s, environment, searcher.say)
    search = await search_commits(
        repository,
        builder,
        source.into,
        (source.good, source.bad),
        searcher,
        spec.confidence,
        partial(_question, spec),
        spec.known_ends,
    )
    labels = tuple(commit.label for commit in search.commits)
    title = None if search.found is None else f"Fixes: {labels[search.found]}"
    result = replace(search.result, answer=replace(search.result.answer, probability=search.probability))
    return _conclusion(result, labels, search.question, title, repository.bisect_log(search.steps))


def _conclusion(
    result: Result, labels: Sequence[str], question: Question, title: str | None, git_log: str | None
) -> Conclusion:
    answer = result.answer
    sentences = [answer_sentence(answer, labels, result.known, question)]
    if answer.group is not None:
        sentences += rates_lines(result.known, answer.group.last)
    if answer.kind is AnswerKind.FOUND and title is None and answer.group is not None:
        title = labels[answer.group.first]
    return Conclusion(answer.kind, tuple(sentences), answer.probability, title, git_log)
