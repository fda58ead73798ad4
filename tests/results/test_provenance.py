from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import harness
from harness.results import provenance
from harness.results.provenance import describe_run


def test_a_run_is_described_in_plain_values() -> None:
    about = describe_run(["/home/somebody/.venv/bin/svsm-harness", "run", "--set", "vcpus=2"])
    assert json.loads(json.dumps(about)) == about
    assert about["command"] == ["svsm-harness", "run", "--set", "vcpus=2"]
    assert datetime.fromisoformat(str(about["started_utc"])).utcoffset() == timedelta(0)
    host = about["host"]
    assert isinstance(host, dict)
    assert host["cpus"] >= 1
    assert host["memory_bytes"] > 1 << 20
    assert all(host[part] for part in ("kernel", "machine", "system"))


def test_the_environment_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVSM_TEST_TOKEN", "hunter2-hunter2")
    assert "hunter2" not in json.dumps(describe_run(["svsm-harness"]))
    assert str(Path.home()) not in json.dumps(describe_run([str(Path.home() / "bin" / "svsm-harness")]))


def _git(folder: Path, *argv: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *argv], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that holds a package like ours."""
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    monkeypatch.setattr(harness, "__file__", str(tmp_path / "harness" / "__init__.py"))
    return tmp_path


def test_the_commit_says_whether_it_was_changed(checkout: Path) -> None:
    (checkout / "a").write_text("1")
    _git(checkout, "add", "a")
    _git(checkout, "commit", "-q", "-m", "y")
    clean = provenance._commit()
    assert clean is not None
    assert len(clean) == 12
    (checkout / "a").write_text("2")
    assert provenance._commit() == f"{clean}-dirty"


def test_an_installed_package_has_no_commit_not_even_that_of_a_checkout_around_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = checkout / ".venv" / "lib" / "site-packages"
    monkeypatch.setattr(harness, "__file__", str(packages / "harness" / "__init__.py"))
    packages.mkdir(parents=True)
    assert provenance._commit() is None


def test_a_machine_without_git_has_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert provenance._commit() is None
