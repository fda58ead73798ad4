"""The scripts are POSIX sh, and their output is cut where its token stands."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from harness.tracing.scripts import Recording, cut_sections, hold_script, log_script, survey_script

SCRIPTS = {
    "survey": survey_script("t0k", ("kvm", "sched"), ("a", "b")),
    "hold": hold_script(Recording("t0k", ("kvm:kvm_exit",), (), (12, 13), 4096)),
    "log": log_script("t0k", whole=True),
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("shell", [["sh"], ["busybox", "sh"], ["dash"]])
def test_every_shell_parses_them(name: str, shell: list[str]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    checked = subprocess.run([*shell, "-n"], input=SCRIPTS[name], text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_sections_begin_where_the_token_stands_and_nowhere_else() -> None:
    text = "noise\n#t one\na\n#other two\n#t two\n#t three\n\n"
    assert cut_sections(text, "t") == {"one": "a\n#other two", "two": "", "three": "\n"}
    assert cut_sections("", "t") == {}


def test_what_is_asked_for_cannot_become_a_command() -> None:
    script = hold_script(Recording("t", ("kvm:$(touch x)", "kvm:`id`"), (), (), 1))
    assert "events='kvm:$(touch x) kvm:`id`'" in script
