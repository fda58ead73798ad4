"""ci/setup.sh, ci/quickstart: the virtual environment is made once, the second time needs neither network nor root."""

import re
import shutil


def _installed(checkout) -> dict[str, int]:
    marks = ("bin/svsm-harness", "pyvenv.cfg", ".installed")
    return {mark: (checkout.root / ".venv" / mark).stat().st_mtime_ns for mark in marks}


def test_second_set_up_does_nothing_and_needs_no_network(checkout) -> None:
    first = checkout.bash("set_up run")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Making the virtual environment" in first.stdout
    made = _installed(checkout)
    second = checkout.bash("set_up run", offline=True)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "up to date" in second.stdout
    assert _installed(checkout) == made
    assert checkout.calls() == []


def test_dev_serves_a_plain_run_and_a_changed_pyproject_is_installed_again(checkout) -> None:
    assert checkout.bash("set_up test").returncode == 0
    plain = checkout.bash("set_up run", offline=True)
    assert "up to date" in plain.stdout
    with (checkout.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    for mode in ("run", "test"):
        changed = checkout.bash(f"set_up {mode}")
        assert "Installing the project" in changed.stdout, mode
        assert "Making the virtual environment" not in changed.stdout


def test_a_moved_checkout_is_not_trusted(checkout) -> None:
    assert checkout.bash("set_up run").returncode == 0
    done = checkout.bash("set_up run", SVSM_HARNESS_VENV=str(checkout.root / "other"))
    assert "Making the virtual environment" in done.stdout
    (checkout.root / ".venv").rename(checkout.root / "moved")
    done = checkout.bash("set_up run", SVSM_HARNESS_VENV=str(checkout.root / "moved"))
    assert "Installing the project" in done.stdout


def test_a_folder_that_is_no_environment_is_left_alone(checkout) -> None:
    precious = checkout.root / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    done = checkout.bash("set_up run", SVSM_HARNESS_VENV=str(precious))
    assert done.returncode == 4
    assert "is no virtual environment" in done.stderr
    assert (precious / "file").read_text() == "x"


def test_a_failed_installation_is_not_taken_for_done(checkout) -> None:
    backend = (checkout.root / "backend.py").read_text()
    (checkout.root / "backend.py").write_text("raise SystemExit('broken backend')\n")
    done = checkout.bash("set_up run")
    assert done.returncode == 4
    assert "fix: Check the network" in done.stderr
    (checkout.root / "backend.py").write_text(backend)
    assert checkout.bash("set_up run").returncode == 0


def test_python_too_old_is_refused_before_anything_is_installed(checkout) -> None:
    old = 'case "$*" in *--version*) echo "Python 3.9.2" ;; *) cat >/dev/null; exit 1 ;; esac'
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        checkout.program(name, old)
    done = checkout.bash("set_up run", SVSM_HARNESS_PYTHON="")
    assert done.returncode == 4
    assert "Python 3.9.2 is too old" in done.stderr
    assert re.search(r"fix: .*SVSM_HARNESS_PYTHON=", done.stderr)
    assert checkout.calls() == []


def test_a_named_python_that_will_not_do_is_refused(checkout) -> None:
    done = checkout.bash("set_up run", SVSM_HARNESS_PYTHON="/bin/false")
    assert done.returncode == 4
    assert "SVSM_HARNESS_PYTHON=/bin/false is no Python >= 3.11" in done.stderr
    assert checkout.calls() == []


def test_quickstart_ends_with_the_status_of_run_and_what_to_type_next(checkout) -> None:
    # One environment for all three: making it is what takes long.
    for status, results in ((0, True), (3, True), (2, False)):
        shutil.rmtree(checkout.root / "results", ignore_errors=True)
        done = checkout.run(
            ["bash", "ci/quickstart", "scenarios/boot.yaml"], STUB_STATUS=str(status), STUB_REPORT=str(status)
        )
        assert done.returncode == status, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert lines.index("stub doctor") < lines.index("stub run scenarios/boot.yaml")
        assert ("Results: results/r1" in done.stdout) is results
        assert ("stub report results/r1 --html" in lines) is results
        assert ("The page was not written" in done.stdout) is (results and status != 0)
        after = done.stdout.partition("== Next")[2]
        for word in ("show", "run", "shell"):
            assert f".venv/bin/svsm-harness {word} " in after


def test_quickstart_help_is_its_header(checkout) -> None:
    done = checkout.run(["bash", "ci/quickstart", "--help"])
    assert done.returncode == 0
    assert done.stdout.startswith("From a fresh machine")
    assert "Exit status" in done.stdout
