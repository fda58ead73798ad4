"""Somebody's own kvm-unit-tests image runs as a scenario without change, through real QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "kut_like.S"
SCENARIO = """
name: kut
about: An image of kvm-unit-tests reports on the console and ends QEMU by its debug exit.
machine: {{memory: 64M, devices: [pc-testdev]}}
payload: {{image: {image}, reports: kvm-unit-tests, report_port: console, debug_exit: true}}
platforms: {{tcg: {{}}}}
timeout: 30s
"""


def build(folder: Path, exit_code: int, last: str, summary: str) -> Path:
    image = folder / "test.flat"
    defines = [f"-DEXIT_CODE={exit_code}", f'-DLAST_LINE="{last}\\n"', f'-DSUMMARY_LINE="{summary}\\n"']
    link = ["-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"]
    sections = ["-Wl,-z,max-page-size=4096", "-Wl,--section-start=.multiboot=0xff000"]
    subprocess.run(["gcc", *link, *sections, *defines, "-o", str(image), str(SOURCE)], check=True)
    return image


def run(folder: Path, image: Path) -> tuple[int, dict[str, str], str]:
    file = folder / "kut.yaml"
    file.write_text(SCENARIO.format(image=image))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "harness.cli",
            "run",
            str(file),
            "--results",
            str(folder / "results"),
            "--format",
            "json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    (boot,) = json.loads(done.stdout)["boots"]
    return done.returncode, {v["check"]: v["status"] for v in boot["verdicts"]}, boot["reason"]


@pytest.mark.qemu
def test_a_good_image_passes(tmp_path: Path) -> None:
    image = build(tmp_path, 0, "PASS: nmi", "SUMMARY: 3 tests, 1 skipped")
    status, verdicts, reason = run(tmp_path, image)
    assert (status, verdicts) == (0, {"outcome": "PASS", "report": "PASS"}), reason


@pytest.mark.qemu
def test_a_failing_result_fails_and_is_named(tmp_path: Path) -> None:
    image = build(tmp_path, 1, "FAIL: nmi delivered", "SUMMARY: 3 tests, 1 unexpected failures, 1 skipped")
    status, verdicts, reason = run(tmp_path, image)
    assert status == 1
    assert verdicts["report"] == "FAIL"
    assert "nmi delivered" in reason


@pytest.mark.qemu
def test_an_image_that_ends_without_its_summary_is_no_pass(tmp_path: Path) -> None:
    image = build(tmp_path, 0, "PASS: nmi", "")
    status, verdicts, _ = run(tmp_path, image)
    assert status == 3
    assert verdicts["report"] == "INCONCLUSIVE"
