from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.errors import InputError, ScenarioError
from harness.scenario.setting import Scenario

_BOOT = (
    "name: {name}\nabout: Why.\ntags: [smoke]\nmatrix: {{vcpus: [1, 2]}}\nexpect: [{{vcpus_online: '${{vcpus}}'}}]\n"
)
_VARS = "name: {name}\nabout: Why.\nvars: {{KEYS: 5}}\nsteps: [{{guest: 'echo ${{KEYS}}'}}]\n"


def _write(folder: Path, **texts: str) -> list[Path]:
    files = []
    for name, text in texts.items():
        file = folder / f"{name}.yaml"
        file.write_text(text.format(name=name))
        files.append(file)
    return files


def _problems(caught: pytest.ExceptionInfo[ScenarioError], folder: Path) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("values", "parsed"),
    [
        (None, {}),
        ([], {}),
        (["a=1", "b.c=x=y", "d="], {"a": "1", "b.c": "x=y", "d": ""}),
    ],
)
def test_set_options(values: list[str] | None, parsed: dict[str, str]) -> None:
    assert parse_set(values) == parsed


@pytest.mark.parametrize(
    ("values", "says"),
    [(["a"], "write KEY=VALUE"), (["=1"], "write KEY=VALUE"), (["a=1", "a=2"], "a is given twice: '1' and '2'")],
)
def test_set_options_that_say_nothing(values: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_set(values)


def test_files_are_found_once_sorted_and_in_every_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "README.md", "schema.json"):
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_files([tmp_path])]
    assert names == ["a.yml", "b.yaml", "sub/c.yaml"]
    assert find_files([tmp_path / "b.yaml", tmp_path])[0] == tmp_path / "b.yaml"
    assert len(find_files([tmp_path / "b.yaml", tmp_path, tmp_path / "sub"])) == 3


def test_a_file_that_is_named_needs_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    assert find_files([tmp_path / "x.txt"]) == (tmp_path / "x.txt",)


def test_every_path_that_names_nothing_is_reported(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScenarioError) as caught:
        find_files([tmp_path / "no", tmp_path / "empty"])
    assert _problems(caught, tmp_path) == [
        "no: there is no such file or folder",
        "empty: no scenario (*.yaml) in this folder",
    ]


def test_files_are_loaded_with_their_variants(tmp_path: Path) -> None:
    scenarios = load_files(_write(tmp_path, boot=_BOOT, keys=_VARS), {"KEYS": "7"}, {})
    assert [scenario.name for scenario in scenarios] == ["boot", "keys"]
    assert [len(scenario.variants) for scenario in scenarios] == [2, 1]


def test_the_problems_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    files = _write(tmp_path, a="name: a\nabouts: Why.\n", b=_BOOT, c="name: b\nabout: Why.\n")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "folder.yaml").mkdir()
    files += [tmp_path / "latin.yaml", tmp_path / "folder.yaml", tmp_path / "gone.yaml"]
    with pytest.raises(ScenarioError) as caught:
        load_files(files, {}, {})
    problems = _problems(caught, tmp_path)
    assert any(problem.startswith("a.yaml:2:1: ") for problem in problems)
    assert "latin.yaml: is not UTF-8: invalid continuation byte at byte 9" in problems
    assert "folder.yaml: cannot be read: Is a directory" in problems
    assert "gone.yaml: cannot be read: No such file or directory" in problems
    assert "c.yaml:1:1: the name 'b' is taken by b.yaml" in problems


def test_a_set_that_nothing_uses_is_refused(tmp_path: Path) -> None:
    files = _write(tmp_path, keys=_VARS, boot=_BOOT)
    assert load_files(files, {"KEYS": "1", "vcpus": "1"}, {})
    with pytest.raises(InputError, match="--set KEY: no scenario here has"):
        load_files(files, {"KEYS": "1", "KEY": "1"}, {})


@pytest.fixture
def scenarios(tmp_path: Path) -> Sequence[Scenario]:
    """Three variants: two of one scenario, and one of another without its tag."""
    return load_files(_write(tmp_path, boot=_BOOT, keys=_VARS), {}, {})


@pytest.mark.parametrize(
    ("only", "selected"),
    [
        ([], ["boot[vcpus=1]", "boot[vcpus=2]", "keys"]),
        (["boot"], ["boot[vcpus=1]", "boot[vcpus=2]"]),
        (["smoke"], ["boot[vcpus=1]", "boot[vcpus=2]"]),
        (["boot[vcpus=2]"], ["boot[vcpus=2]"]),
        (["keys", "boot[vcpus=1]"], ["boot[vcpus=1]", "keys"]),
        (["smoke", "boot"], ["boot[vcpus=1]", "boot[vcpus=2]"]),
    ],
)
def test_variants_are_selected_in_their_own_order(
    scenarios: Sequence[Scenario], only: list[str], selected: list[str]
) -> None:
    assert [variant.full_id for variant in select_variants(scenarios, only)] == selected


def test_a_selection_of_nothing_is_refused_with_what_was_meant(scenarios: Sequence[Scenario]) -> None:
    with pytest.raises(InputError, match=r"--only boto: no scenario, variant or tag has that name.*boot"):
        select_variants(scenarios, ["keys", "boto"])
