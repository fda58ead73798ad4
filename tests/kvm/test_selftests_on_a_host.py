"""The kernel's own KVM selftests on the virtual host, from the source package to the verdict; fetches 139 MB once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from build_selftests import Unavailable, build_selftests

from harness.host.cache import cache_dir

pytestmark = [pytest.mark.slow, pytest.mark.qemu]

SCENARIO = Path(__file__).parent / "selftests.yaml"


@pytest.fixture(scope="module")
def programs() -> Path:
    try:
        return build_selftests(cache_dir(os.environ) / "selftests")
    except Unavailable as why:
        pytest.skip(f"no KVM selftests: {why}")


def run(folder: Path, results: Path) -> tuple[int, dict[str, str]]:
    """Run the scenario; the exit status, and the boot's verdict and reason."""
    # fmt: off
    done = subprocess.run(
        [
            sys.executable, "-m", "harness.cli", "run", SCENARIO, "--host", "virtual",
            "--set", f"KVM_SELFTESTS={folder}", "--results", results, "--format", "json",
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )
    # fmt: on
    assert done.stdout, done.stderr
    boot: dict[str, str] = json.loads(done.stdout)["boots"][0]
    return done.returncode, boot


def test_selftests_pass_and_a_bad_program_fails(programs: Path, tmp_path: Path) -> None:
    status, boot = run(programs, tmp_path / "good")
    assert (status, boot["status"]) == (0, "PASS"), boot
    assert "0 failed" in boot["reason"]

    # One program that fails among the good ones, as kselftest.h has it.
    bad = tmp_path / "programs"
    bad.mkdir()
    (bad / "svm_vmcall_test").write_bytes((programs / "svm_vmcall_test").read_bytes())
    (bad / "svm_vmcall_test").chmod(0o755)
    source = "int main(void) { return 254; }"
    subprocess.run(["gcc", "-static", "-xc", "-", "-o", bad / "broken_test"], input=source.encode(), check=True)
    status, boot = run(bad, tmp_path / "bad")
    assert (status, boot["status"]) == (1, "FAIL"), boot
    assert "broken_test" in boot["reason"]
