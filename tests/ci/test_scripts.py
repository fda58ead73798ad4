"""The scripts themselves: shellcheck is clean, the gate runs all steps and fails when one does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_LIBRARY = ["ci/setup.sh", "ci/lib/say.sh", "ci/lib/packages.sh", "ci/lib/python.sh"]
_SCRIPTS = ["ci/quickstart", "ci/test", ".ci/run", *_LIBRARY]


def test_shellcheck_is_clean() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed: the scripts were not checked")
    done = subprocess.run(["shellcheck", "-x", *_SCRIPTS], cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", ["ci/quickstart", "ci/test", ".ci/run"])
def test_entry_points_can_be_executed(script: str) -> None:
    assert os.access(_ROOT / script, os.X_OK)


def test_every_step_runs_and_one_failure_fails_the_gate(checkout) -> None:
    assert checkout.bash("set_up test").returncode == 0
    tools = checkout.root / ".venv/bin"
    python = (tools / "python").resolve()
    (checkout.root / ".ci").mkdir()
    shutil.copy(_ROOT / ".ci/run", checkout.root / ".ci/run")
    for broken in (None, "ruff", "mypy", "lint-imports", "python"):
        for name in ("ruff", "mypy", "lint-imports", "python"):
            (tools / name).unlink(missing_ok=True)
            # The set-up asks the environment's Python whether it starts (-c), the gate asks it for pytest (-m).
            (tools / name).write_text(
                f'#!/bin/bash\n[[ $1 == -c ]] && exec {python} "$@"\necho "ran {name} $*"\nexit {int(name == broken)}\n'
            )
            (tools / name).chmod(0o755)
        done = checkout.run(["bash", ".ci/run"])
        assert done.returncode == int(broken is not None), done.stdout + done.stderr
        ran = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("ran ")]
        assert ran == ["ruff", "ruff", "mypy", "lint-imports", "python"]
        summary = done.stdout.partition("== Summary")[2].splitlines()[1:]
        assert len(summary) == len(ran)
        assert [line.split()[0] for line in summary] == ["FAILED" if name == broken else "ok" for name in ran]
