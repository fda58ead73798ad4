"""Scenarios as items of a pytest of their own, on the VMPL model whose guest panics in every boot or in none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ssh_server import serve

from harness.boot.site import Site

pytestmark = pytest.mark.qemu

RATED = Path(__file__).parent / "compare" / "rated.yaml"
PANIC = "guest-panic: Kernel panic - not syncing: vmpl_model fault guest-panic"
ENTRY = """\
- id: model-panic
  signature: "{signature}"
  scope: {{scenarios: [rated], platforms: [model]}}
  max_rate: 95%
  expires: "{expires}"
  link: https://example.org/1
  note: The fault is put in on purpose.
"""


@dataclass(frozen=True)
class Session:
    """Be a pytest that has ended; ``properties`` are those of its only item."""

    status: int
    out: str
    outcome: str
    properties: dict[str, str]


@dataclass(frozen=True)
class Project:
    folder: Path

    def known(self, signature: str = PANIC, expires: str = "2999-01-01", name: str = "known.yaml") -> Path:
        path = self.folder / name
        path.write_text(ENTRY.format(signature=signature, expires=expires))
        return path

    def pytest(self, *words: str | Path) -> Session:
        report = self.folder / "report.xml"
        plugins = ["-p", "no:cacheprovider", "-p", "harness.pytest_plugin"]
        argv = [sys.executable, "-m", "pytest", *plugins, "-rxX", f"--junitxml={report}", *words]
        # Else the options of the pytest that runs this would be those of that one, too.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [*map(str, argv), "scenarios"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        (case,) = ElementTree.parse(report).getroot().iter("testcase")
        properties = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
        outcomes = [child.tag for child in case if child.tag != "properties"]
        return Session(done.returncode, done.stdout, "".join(outcomes) or "passed", properties)


@pytest.fixture
def project(tmp_path: Path, site: Site) -> Project:
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    (scenarios / "rated.yaml").write_bytes(RATED.read_bytes())
    # So that no settings of folders above it count.
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Project(tmp_path)


def test_a_known_failure_is_reported_as_expected(project: Project) -> None:
    done = project.pytest("--set", "rate=1", "--known", project.known())
    assert (done.status, done.outcome) == (0, "skipped"), done.out
    assert "1 xfailed" in done.out
    assert "known issue model-panic: outcome: " in done.out
    assert done.properties["known_issue"] == "model-panic"
    # It is not hidden: the record still says FAIL.
    assert done.properties["verdict"] == "FAIL"
    assert (project.folder / done.properties["results"] / "boot.json").exists()


def test_the_file_beside_the_scenarios_is_taken_and_is_no_scenario(project: Project) -> None:
    project.known(name="scenarios/known_issues.yaml")
    done = project.pytest("--set", "rate=1")
    assert (done.status, done.properties["known_issue"]) == (0, "model-panic"), done.out


def test_another_signature_still_fails(project: Project) -> None:
    done = project.pytest("--set", "rate=1", "--known", project.known("guest-panic: something else"))
    assert (done.status, done.outcome) == (1, "failure"), done.out
    assert "FAIL on model: outcome: " in done.out
    assert "record: results/" in done.out
    assert "known_issue" not in done.properties


def test_a_boot_that_passes_needs_no_excuse(project: Project) -> None:
    done = project.pytest("--known", project.known())
    assert (done.status, done.outcome) == (0, "passed"), done.out
    assert "known_issue" not in done.properties


@pytest.mark.parametrize(("rate", "outcome"), [("0", "passed"), ("1", "failure")])
def test_an_expired_entry_excuses_nothing_and_fails_the_session(project: Project, rate: str, outcome: str) -> None:
    path = project.known(expires="2026-01-01")
    done = project.pytest("--set", f"rate={rate}", "--known", path)
    assert (done.status, done.outcome) == (1, outcome), done.out
    assert f"{path}:1: the known issue model-panic expired on 2026-01-01" in done.out


def test_a_host_is_reached_once_for_all_items_and_left(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = tmp_path / "hosts.yaml"
    with serve(tmp_path / "server") as server:
        inventory.write_text(server.inventory)
        monkeypatch.setenv("SVSM_HARNESS_HOSTS", str(inventory))
        session = project.pytest("--host", "loopback")
    assert (session.status, session.outcome) == (0, "passed"), session.out
    record = json.loads((project.folder / session.properties["results"] / "boot.json").read_text())
    assert (record["host"]["kind"], record["host"]["name"]) == ("ssh", "loopback")


def test_a_host_that_nobody_knows_is_named(project: Project) -> None:
    session = project.pytest("--host", "nowhere")
    assert (session.status, session.outcome) == (1, "failure")
    assert "nowhere" in session.out and "Traceback" not in session.out
