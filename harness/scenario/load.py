"""Load a scenario: text in, a frozen scenario out, or every problem at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from harness.errors import Problem, ScenarioError
from harness.scenario.base import Model
from harness.scenario.confidential import Snp, Svsm
from harness.scenario.contradictions import accel_on, sections_of
from harness.scenario.demand import HostDemand
from harness.scenario.expectation import Expectation
from harness.scenario.merge import merge, put
from harness.scenario.model import Guest, Machine, Payload, Platform, Stability
from harness.scenario.nodes import MappingNode, Mark, Node, ScalarNode, at_mark, describe, locate
from harness.scenario.perturb import Perturb
from harness.scenario.resolve import absent, resolve
from harness.scenario.scalars import guess
from harness.scenario.setting import Scenario, Setting, Variant
from harness.scenario.snp_contradictions import SVSM_PAYLOAD
from harness.scenario.source import read_source
from harness.scenario.substitute import Variables, substitute
from harness.scenario.suggest import did_you_mean, listed
from harness.scenario.trace import Trace
from harness.scenario.validate import validate
from harness.scenario.variants import SECTIONS, Axis, Point, expand, key_path, read_axes, slug

__all__ = ["KEYS", "OVERRIDABLE", "Head", "load_scenario"]

#: What a platform may say differently.
OVERRIDABLE = ("machine", "guest", "payload", "snp", "svsm", "trace", "host", "steps", "expect", "timeout")
#: Every key of a scenario, in the order in which a reader wants them.
KEYS = ("name", "about", "tags", "vars", "matrix", "platforms", *OVERRIDABLE, "perturb", "stability")
_RESOLVED = (*OVERRIDABLE, "perturb", "stability")
_SECTION_MODELS: Mapping[str, type[Model]] = {
    "machine": Machine,
    "guest": Guest,
    "payload": Payload,
    "snp": Snp,
    "svsm": Svsm,
    "trace": Trace,
    "host": HostDemand,
    "perturb": Perturb,
    "stability": Stability,
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class Head(Model):
    """Say what a scenario is and why it exists."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=60,
        description="Name of the scenario: small letters, digits and -, such as boot-smp.",
    )
    about: str = Field(min_length=1, description="One sentence: what a failure of this scenario would mean.")
    tags: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], ...] = Field(
        default=(), description="Words to choose scenarios by: small letters, digits and -."
    )


def load_scenario(
    text: str,
    file: str,
    *,
    checks: Mapping[str, type[Expectation]],
    set_values: Mapping[str, str],
    environment: Mapping[str, str],
) -> Scenario:
    """Return the scenario in ``text``, with every variant on every platform validated.

    ``file`` names the text in problems. ``checks`` are the expectations that ``expect`` may hold, by key.
    ``set_values`` are the ``--set`` options: a plain name gives a variable (or, if it names an axis, the only value of
    that axis; or, if it names a key of machine and nothing else, that key), a dotted name such as ``machine.cpu``
    gives that key in every variant and platform that has the section.

    :raise ScenarioError: with all problems of the file.
    """
    problems: list[Problem] = []
    tree = read_source(text, file, problems)
    scenario = None
    if tree is not None and not isinstance(tree, MappingNode):
        problems.append(tree.mark.problem(f"a scenario must be a mapping with name and about, not {describe(tree)}"))
    elif tree is not None:
        # A value that could not be read properly has been reported; what would follow from it is noise.
        later: list[Problem] = []
        scenario = _Loading(tree, file, checks, set_values, environment, later).scenario()
        problems += _elsewhere(later, problems)
    if problems:
        raise ScenarioError(sorted(dict.fromkeys(problems), key=_order))
    if scenario is None:
        raise AssertionError("a scenario that could not be loaded left no problem")
    return scenario


def _elsewhere(problems: list[Problem], reported: list[Problem]) -> list[Problem]:
    places = {(problem.file, problem.line, problem.column) for problem in reported}
    return [problem for problem in problems if (problem.file, problem.line, problem.column) not in places]


def _order(problem: Problem) -> tuple[int, int]:
    return (problem.line or 0, problem.column or 0)


class _Loading:
    def __init__(
        self,
        tree: MappingNode,
        file: str,
        checks: Mapping[str, type[Expectation]],
        set_values: Mapping[str, str],
        environment: Mapping[str, str],
        problems: list[Problem],
    ) -> None:
        self._tree = tree
        self._file = file
        self._checks = checks
        self._problems = problems
        self._variables = Variables(set_values, {}, environment, self._defaults())

    def scenario(self) -> Scenario | None:
        self._refuse_unknown(self._tree, KEYS, "a scenario")
        heading = [item for item in self._tree.items if item[0].text in Head.model_fields]
        head = validate(Head, MappingNode(tuple(heading), self._tree.mark), "", self._problems)
        matrix = self._mapping("matrix")
        axes = read_axes(matrix, self._variables, self._problems)
        points = expand(axes, matrix, self._problems)
        overrides = self._overrides(axes)
        platforms = self._platforms()
        base = _payload_spelled_out(MappingNode(_only(self._tree, _RESOLVED), self._tree.mark))
        resolved = [(point, self._settings(base, point, overrides, platforms)) for point in points]
        if head is None or self._problems:
            return None
        variants = tuple(
            Variant(
                scenario=head.name,
                about=head.about,
                tags=head.tags,
                file=self._file,
                id=point.id,
                slug=slug(head.name, point.id),
                axes=tuple((axis.label, value.value) for axis, value in point.items()),
                platforms=settings,
            )
            for point, settings in resolved
        )
        return Scenario(head.name, head.about, head.tags, self._file, variants, frozenset(self._variables.used))

    def _say(self, mark: Mark, what: str) -> None:
        self._problems.append(mark.problem(what))

    def _refuse_unknown(self, node: MappingNode, known: tuple[str, ...], where: str) -> None:
        for key, _ in node.items:
            if key.text not in known:
                home = next((name for name, model in _SECTION_MODELS.items() if key.text in model.model_fields), None)
                near = f" (it belongs under {home})" if home is not None else did_you_mean(key.text, known)
                self._say(key.mark, f"unknown key {key.text!r} in {where}{near}; allowed: {listed(known)}")

    def _refuse_foreign(self, node: MappingNode, platform: Platform) -> None:
        for name in ("snp", "svsm"):
            key = node.key(name)
            if key is not None and name not in sections_of(platform) and not absent(node.get(name)):
                having = listed(other for other in Platform if name in sections_of(other))
                self._say(key.mark, f"{name} means nothing on platform {platform}; it is for {having}")

    def _mapping(self, name: str) -> MappingNode:
        node = self._tree.get(name)
        if isinstance(node, MappingNode):
            return node
        if node is not None and not absent(node):
            self._say(node.mark, f"{name} must be a mapping, not {describe(node)}")
        return MappingNode((), self._tree.mark if node is None else node.mark)

    def _defaults(self) -> dict[str, ScalarNode]:
        defaults = {}
        for key, value in self._mapping("vars").items:
            if not _VARIABLE.fullmatch(key.text):
                self._say(key.mark, f"{key.text!r} is no name of a variable: letters, digits and _, - or .")
            elif not isinstance(value, ScalarNode):
                self._say(value.mark, f"the variable {key.text!r} must be text or a number, not {describe(value)}")
            else:
                defaults[key.text] = value
        return defaults

    # Keys that --set gives in every variant and on every platform.
    def _overrides(self, axes: tuple[Axis, ...]) -> list[tuple[str, tuple[str, ...], Node]]:
        overrides: list[tuple[str, tuple[str, ...], Node]] = []
        for name, text in self._variables.given.items():
            path = key_path(name)
            if any(axis.goes_by(name) for axis in axes) or name in self._variables.defaults:
                continue
            mark = Mark(f"--set {name}={text}", None, None)
            if path is not None:
                node = self._given(text, mark)
                overrides += [] if node is None else [(name, path, node)]
            elif "." in name:
                near = did_you_mean(name.partition(".")[0], SECTIONS)
                self._say(mark, f"{name!r} leads nowhere{near}; a dotted name begins with {listed(SECTIONS)}")
        return overrides

    # What --set gives: [a, b] is a list, as it is in a file, and everything else one value. None: it cannot be read.
    def _given(self, text: str, mark: Mark) -> Node | None:
        if not (text.strip().startswith("[") and text.strip().endswith("]")):
            value = guess(text)
            return ScalarNode(value, text, mark, unquoted=False, retyped=not isinstance(value, str))
        found: list[Problem] = []
        node = read_source(text, mark.file, found)
        for problem in found:
            self._say(mark, problem.what)
        return None if node is None else at_mark(node, mark)

    def _platforms(self) -> dict[Platform, tuple[Mark, MappingNode]] | None:
        if "platforms" not in (key.text for key, _ in self._tree.items):
            return None
        node = self._mapping("platforms")
        found: dict[Platform, tuple[Mark, MappingNode]] = {}
        for key, value in node.items:
            if key.text not in list(Platform):
                near = did_you_mean(key.text, Platform)
                self._say(key.mark, f"unknown platform {key.text!r}{near}; platforms: {listed(Platform)}")
            elif isinstance(value, MappingNode):
                self._refuse_unknown(value, OVERRIDABLE, f"platforms.{key.text}")
                self._refuse_foreign(value, Platform(key.text))
                over = MappingNode(_only(value, OVERRIDABLE), value.mark)
                found[Platform(key.text)] = (key.mark, _payload_spelled_out(over))
            elif absent(value):
                found[Platform(key.text)] = (key.mark, MappingNode((), value.mark))
            else:
                self._say(
                    value.mark, f"platforms.{key.text} must be a mapping ({{}} for no change), not {describe(value)}"
                )
        if not node.items:
            self._say(node.mark, f"platforms needs at least one of {listed(Platform)}; left out, it is kvm and tcg")
        return found

    def _settings(
        self,
        base: MappingNode,
        point: Point,
        overrides: list[tuple[str, tuple[str, ...], Node]],
        platforms: dict[Platform, tuple[Mark, MappingNode]] | None,
    ) -> tuple[tuple[Platform, Setting], ...]:
        variables = replace(self._variables, axes=point.variables())
        before = len(self._problems)
        settings = []
        where = base.mark
        chosen = platforms or self._usual_platforms(base, point, variables)
        for platform, (mark, over) in chosen.items():
            tree = merge(base, over)
            for axis, value in point.items():
                tree = put(tree, axis.path, value) if axis.path is not None else tree
            for name, path, given in overrides:
                if _has_section(tree, path):
                    tree = put(tree, path, given)
                    variables.used.add(name)
            tree = _sections_for(tree, platform)
            unknown: list[Problem] = []
            resolved = substitute(tree, variables, unknown)
            assert isinstance(resolved, MappingNode)
            found: list[Problem] = []
            setting = resolve(resolved, self._checks, found)
            # A variable that nothing defines is also no number, no pattern, …
            self._problems += unknown + _elsewhere(found, unknown)
            if setting is None or unknown:
                continue
            if platform is Platform.MODEL and setting.payload is None:
                self._say(mark, "the platform model runs a payload such as vmpl_model, and here is none")
            accel = accel_on(platform, setting.machine)
            if accel is not None:
                machine = setting.machine.model_copy(update={"accel": accel})
                settings.append((platform, replace(setting, machine=machine)))
            else:
                where = locate(resolved, ("machine", "accel"))[0]
        if not settings and len(self._problems) == before:
            self._say(where, f"machine.accel leaves no platform: {listed(chosen)} cannot be had with it")
        return tuple(sorted(settings, key=lambda pair: -pair[0].rank))

    def _usual_platforms(
        self, base: MappingNode, point: Point, variables: Variables
    ) -> dict[Platform, tuple[Mark, MappingNode]]:  # fmt: skip
        image: Node | None = next((value for axis, value in point.items() if axis.path == ("payload", "image")), None)
        payload = base.get("payload")
        if image is None and isinstance(payload, MappingNode):
            image = payload.get("image")
        # What is wrong with it is said when the setting is resolved.
        image = substitute(image, variables, []) if image is not None else None
        model = isinstance(image, ScalarNode) and image.value == "vmpl_model"
        nothing = (base.mark, MappingNode((), base.mark))
        return {Platform.MODEL: nothing} if model else {Platform.KVM: nothing, Platform.TCG: nothing}


def _only(node: MappingNode, keys: tuple[str, ...]) -> tuple[tuple[ScalarNode, Node], ...]:
    return tuple(item for item in node.items if item[0].text in keys)


# `payload: vmpl_model` stands for `payload: {image: vmpl_model}`; spelled out, so that it merges like it.
def _payload_spelled_out(node: MappingNode) -> MappingNode:
    return MappingNode(
        tuple(
            (key, MappingNode(((ScalarNode("image", "image", value.mark), value),), value.mark))
            if key.text == "payload" and isinstance(value, ScalarNode) and not absent(value)
            else (key, value)
            for key, value in node.items
        ),
        node.mark,
    )


# The sections of SNP stand in the base for all platforms that have them, and mean nothing on the others. Without SNP an
# SVSM starts no guest.
def _sections_for(tree: MappingNode, platform: Platform) -> MappingNode:
    needed = sections_of(platform)
    for name in ("snp", "svsm"):
        if name not in needed:
            tree = tree.without(name)
        elif absent(tree.get(name)):
            tree = put(tree, (name,), MappingNode((), tree.mark))
    if platform is Platform.NOCC and absent(tree.get("guest")) and absent(tree.get("payload")):
        tree = put(tree, ("payload", "image"), ScalarNode(SVSM_PAYLOAD, SVSM_PAYLOAD, tree.mark))
    return tree


# --set guest.kernel=… is for the scenarios that boot Linux, and must not turn a payload's into nonsense.
def _has_section(tree: MappingNode, path: tuple[str, ...]) -> bool:
    section = path[0]
    if section == "guest":
        return absent(tree.get("payload"))
    return section in ("machine", "host", "perturb", "timeout") or not absent(tree.get(section))
