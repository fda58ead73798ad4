"""Definitions of nightly CI: each is a thin shell over ci/nightly, and its own tool has nothing against it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

_CI = Path(__file__).resolve().parents[2] / "ci"
_UNITS = [_CI / "systemd/svsm-harness-nightly.service", _CI / "systemd/svsm-harness-nightly.timer"]


def _lint(*words: str | Path) -> None:
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"{words[0]} is not installed: this definition was not linted")
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and not any(path.name in done.stderr for path in _UNITS), said


def test_systemd_has_nothing_against_the_units() -> None:
    _lint("systemd-analyze", "verify", "--man=no", *_UNITS)


def test_the_linter_of_units_can_complain(tmp_path: Path) -> None:
    broken = tmp_path / "svsm-harness-nightly.timer"
    broken.write_text(_UNITS[1].read_text().replace("*-*-* 22:00:00", "teatime"))
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    words = ["systemd-analyze", "verify", "--man=no", shutil.copy(_UNITS[0], tmp_path), str(broken)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "teatime" in done.stderr


def test_github_has_nothing_against_its_workflow() -> None:
    if shutil.which("actionlint"):
        _lint("actionlint", _CI / "github-nightly.yaml")
    done = _check(_CI / "github-nightly.yaml", "vendor.github-workflows")
    assert done.returncode == 0, done.stdout


def test_gitlab_has_nothing_against_its_job() -> None:
    done = _check(_CI / "gitlab-nightly.yaml", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "schema", "word", "other"),
    [
        ("github-nightly.yaml", "vendor.github-workflows", "runs-on:", "runs-at:"),
        ("gitlab-nightly.yaml", "vendor.gitlab-ci", "script:", "scripts:"),
    ],
)
def test_the_linter_of_definitions_can_complain(tmp_path: Path, name: str, schema: str, word: str, other: str) -> None:
    text = (_CI / name).read_text()
    assert word in text
    (tmp_path / name).write_text(text.replace(word, other))
    assert _check(tmp_path / name, schema).returncode == 1


# A module of this environment, whose programs need not be on the path.
def _check(path: Path, schema: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *words, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_runs_the_one_script_and_nothing_else() -> None:
    assert os.access(_CI / "nightly", os.X_OK)
    (unit,) = [line for line in _UNITS[0].read_text().splitlines() if line.startswith("ExecStart=")]
    assert unit.startswith("ExecStart=/bin/bash /opt/svsm-harness/ci/nightly --budget 8h")
    github = yaml.safe_load((_CI / "github-nightly.yaml").read_text())
    (ran,) = [step["run"] for step in github["jobs"]["nightly"]["steps"] if "run" in step]
    (script,) = yaml.safe_load((_CI / "gitlab-nightly.yaml").read_text())["nightly"]["script"]
    assert ran == script == 'ci/nightly --budget "$BUDGET" --size 50G'


def test_shellcheck_is_clean() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed: ci/nightly was not checked")
    done = subprocess.run(
        ["shellcheck", "-x", "ci/nightly"], cwd=_CI.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
