"""Find scenario files and load them, all errors of all files at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.checks import all_checks
from harness.errors import InputError, Problem, ScenarioError
from harness.scenario.load import load_scenario
from harness.scenario.setting import Scenario, Variant
from harness.scenario.suggest import did_you_mean

__all__ = ["KNOWN_ISSUES", "find_files", "load_files", "parse_set", "select_variants"]

#: What the file of known issues is called beside the scenarios; it is no scenario.
KNOWN_ISSUES = "known_issues.yaml"
_SUFFIXES = (".yaml", ".yml")


def parse_set(values: Sequence[str] | None) -> dict[str, str]:
    """Split ``KEY=VALUE`` options.

    :raise InputError: if one has no ``=``, or a key is given twice.
    """
    parsed: dict[str, str] = {}
    for value in values or ():
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise InputError(f"--set {value}: write KEY=VALUE, such as --set machine.memory=512M")
        if key in parsed:
            raise InputError(f"--set {key} is given twice: {parsed[key]!r} and {text!r}")
        parsed[key] = text
    return parsed


def find_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the scenario files that ``paths`` name: files themselves, and everything below folders, sorted.

    :raise ScenarioError: for each path that is missing or holds no scenario.
    """
    found: list[Path] = []
    problems = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.name != KNOWN_ISSUES)
            found += inside
            if not inside:
                problems.append(Problem(str(path), None, None, "no scenario (*.yaml) in this folder"))
        elif path.exists():
            found.append(path)
        else:
            problems.append(Problem(str(path), None, None, "there is no such file or folder"))
    if problems:
        raise ScenarioError(problems)
    return tuple(dict.fromkeys(found))


def load_files(
    files: Sequence[Path], set_values: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[Scenario, ...]:
    """Load every file.

    :raise ScenarioError: with the problems of all files, two scenarios of one name included.
    :raise InputError: if a ``--set`` name means nothing to any of them.
    """
    problems: list[Problem] = []
    scenarios: list[Scenario] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
            scenarios.append(
                load_scenario(text, str(file), checks=all_checks(), set_values=set_values, environment=environment)
            )
        except OSError as error:
            problems.append(Problem(str(file), None, None, f"cannot be read: {error.strerror}"))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(file), None, None, f"is not UTF-8: {error.reason} at byte {error.start}"))
        except ScenarioError as error:
            problems += error.problems
    problems += _name_clashes(scenarios)
    if problems:
        raise ScenarioError(problems)
    unused = set(set_values) - {name for scenario in scenarios for name in scenario.set_names_used}
    if unused:
        raise InputError(f"--set {sorted(unused)[0]}: no scenario here has a variable, an axis or a key of that name")
    return tuple(scenarios)


def _name_clashes(scenarios: Sequence[Scenario]) -> list[Problem]:
    first: dict[str, str] = {}
    problems = []
    for scenario in scenarios:
        other = first.setdefault(scenario.name, scenario.file)
        if other != scenario.file:
            problems.append(Problem(scenario.file, 1, 1, f"the name {scenario.name!r} is taken by {other}"))
    return problems


def select_variants(scenarios: Sequence[Scenario], only: Sequence[str]) -> tuple[Variant, ...]:
    """Return the variants whose full id, scenario name or tag is in ``only``; all of them if it is empty.

    :raise InputError: if one of ``only`` names nothing.
    """
    variants = [variant for scenario in scenarios for variant in scenario.variants]
    names = {name for variant in variants for name in (variant.full_id, variant.scenario, *variant.tags)}
    for wanted in only:
        if wanted not in names:
            raise InputError(f"--only {wanted}: no scenario, variant or tag has that name{did_you_mean(wanted, names)}")
    if not only:
        return tuple(variants)
    return tuple(variant for variant in variants if {variant.full_id, variant.scenario, *variant.tags} & set(only))
