"""Carry a bisection from its first boot, or from where it was cut short, to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.errors import InputError
from harness.host.protocol import HostKind
from harness.regress.build import Builder, BuildFailed
from harness.regress.commit_search import search_commits
from harness.regress.components import Component, Inside, Within, search_components
from harness.regress.conclusion import Conclusion, conclusion_of, first_rates
from harness.regress.config_files import read_configs
from harness.regress.config_span import ConfigTree, config_differences
from harness.regress.difference import Difference, differences
from harness.regress.git_range import Repository
from harness.regress.journal import Concluded, Recorded, concluded_of
from harness.regress.proof import how_sure
from harness.regress.search import Searcher
from harness.regress.span import Span, list_span, setting_span
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec
from harness.regress.subset import SpanOf, minimise
from harness.stats.bisect import Question

__all__ = ["conclude"]


async def conclude(spec: Spec, searcher: Searcher, cache: Path, environment: dict[str, str]) -> Conclusion:
    """Search until there is an answer; what the journal holds is not done again.

    :raise InputError: if what is searched cannot be: an end that cannot be tested, no commits, a dirty tree.
    :raise HostError: if the journal or a record cannot be written.
    """
    if not any(isinstance(entry, Recorded) for entry in searcher.journal.entries()):
        for one in spec.recorded:
            searcher.journal.append(one)
    conclusion = await _conclude(spec, searcher, cache, environment)
    concluded = Concluded(conclusion.kind, conclusion.probability)
    if concluded_of(list(searcher.journal.entries())) != concluded:
        searcher.journal.append(concluded)
    return conclusion


async def _conclude(spec: Spec, searcher: Searcher, cache: Path, environment: dict[str, str]) -> Conclusion:
    builder = None if spec.git is None else _builder(spec.git, searcher, cache, environment)
    if len(spec.sources) > 1:
        return await _components(spec, searcher, builder)
    (source,) = spec.sources
    whole = Inside({}, 0, spec.confidence, spec.known_ends)
    if isinstance(source, SettingSource):
        found = differences(source.good, source.bad)
        return await _smallest(spec, searcher, found, partial(setting_span, source.good), lambda needed: ())
    if isinstance(source, ListSource):
        return (await _within_list(spec, searcher, source, whole))[0]
    assert builder is not None
    if source.config_path is not None:
        return await _configurations(spec, source, source.config_path, builder, searcher)
    return (await _within_commits(spec, searcher, source, builder, whole))[0]


def _builder(source: GitSource, searcher: Searcher, cache: Path, environment: dict[str, str]) -> Builder:
    repository = Repository(Path(source.repository))
    return Builder(repository, source.build, source.artifact, cache, source.build_limit_s, environment, searcher.say)


async def _components(spec: Spec, searcher: Searcher, builder: Builder | None) -> Conclusion:
    good: dict[str, str] = {}
    components: list[Component] = []
    for source in spec.sources:
        if isinstance(source, SettingSource):
            good |= source.good
            components += [Component(one, None) for one in differences(source.good, source.bad)]
            continue
        within: Within
        if isinstance(source, ListSource):
            one = Difference(source.variable, source.values[0], source.values[-1])
            within = partial(_within_list, spec, searcher, source)
            between = len(source.values) > 2
        else:
            assert builder is not None
            one = await asyncio.to_thread(_built_ends, source, builder, searcher.say)
            within = partial(_within_commits, spec, searcher, source, builder)
            between = True
        good[one.key] = one.good
        components.append(Component(one, within if between else None))
    question = Question(len(components), spec.confidence, spec.min_rate, spec.max_boots)
    return await search_components(searcher, good, components, question, spec.known_ends(len(components)))


def _built_ends(source: GitSource, builder: Builder, say: Callable[[str], None]) -> Difference:
    paths, labels = [], []
    for end, revision in (("good", source.good), ("bad", source.bad)):
        commit = builder.repository.commit(revision)
        say(f"building the {end} end of {source.into}, {commit.label}")
        try:
            paths.append(str(builder.build(commit).path))
        except BuildFailed as error:
            raise InputError(f"the {end} end, {commit.label}, cannot be tested: {error}") from error
        labels.append(commit.label)
    return Difference(source.into, paths[0], paths[1], None, (labels[0], labels[1]))


async def _within_list(
    spec: Spec,
    searcher: Searcher,
    source: ListSource,
    inside: Inside,
) -> tuple[Conclusion, int]:
    span = list_span(source.variable, source.values, here=spec.host == HostKind.LOCAL).beside(inside.beside)
    question = _question(spec, span, inside.confidence)
    result = await searcher.search(inside.stage, span, question, inside.ends(question.candidates))
    return conclusion_of(result, span.labels, question), inside.stage + 1


async def _within_commits(
    spec: Spec,
    searcher: Searcher,
    source: GitSource,
    builder: Builder,
    inside: Inside,
) -> tuple[Conclusion, int]:
    search = await search_commits(
        builder,
        source.into,
        (source.good, source.bad),
        searcher,
        inside.confidence,
        partial(_question, spec),
        inside.ends,
        inside.beside,
        inside.stage,
    )
    labels = tuple(commit.label for commit in search.commits)
    title = None if search.found is None else f"Fixes: {labels[search.found]}"
    result = replace(search.result, answer=replace(search.result.answer, probability=search.probability))
    git_log = builder.repository.bisect_log(search.steps)
    return conclusion_of(result, labels, search.question, title, git_log), search.stage


def _question(spec: Spec, span: Span, confidence: float) -> Question:
    # The good end costs only its boots, unless the host has to be rebooted for them.
    first = spec.good_end_first and not span.hosts
    return Question(len(span.candidates), confidence, spec.min_rate, spec.max_boots, first)


async def _configurations(
    spec: Spec, source: GitSource, config_path: str, builder: Builder, searcher: Searcher
) -> Conclusion:
    good, bad = read_configs(searcher.journal.path.parent)
    commit = builder.repository.commit(source.bad)
    tree = ConfigTree(builder, commit, source.into, config_path, good, searcher.say)
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
        return conclusion_of(minimum.rounds[-1], minimum.labels, question)
    decided = minimum.decided
    chance = min(result.answer.probability for result in decided)
    sentences = (
        minimum.sentence(f"of {len(found)} differences", "makes", "make"),
        f"probability{' of each, at least' if len(minimum.needed) > 1 else ''}: {how_sure(chance)}",
        *(await asyncio.to_thread(more, minimum.needed)),
        *first_rates(decided[0]),
    )
    return Conclusion(minimum.kind, sentences, chance, "; ".join(one.label for one in minimum.needed), None)
