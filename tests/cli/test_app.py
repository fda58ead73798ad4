"""The command line itself: help without weight, wrong words with a sentence and status 2."""

import subprocess
import sys

import pytest

from harness.cli.app import _COMMANDS

#: What the layers below cost to import; help needs none of it.
HEAVY = ("pydantic", "yaml", "paramiko", "cryptography", "qemu.qmp", "filelock", "asyncio")
LOOK = """
import sys
sys.argv = ["svsm-harness", *sys.argv[1:]]
from harness.cli import main
try:
    main()
except SystemExit as end:
    print("STATUS", end.code)
print("LOADED", *sorted(name for name in {heavy!r} if name in sys.modules))
"""


def look(*words: str) -> tuple[str, int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(heavy=HEAVY), *words], capture_output=True, text=True, check=True
    )
    *text, status, loaded = done.stdout.splitlines()
    return "\n".join(text) + done.stderr, int(status.split()[1]), loaded.split()[1:]


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_the_overview_names_every_command_and_loads_nothing(words: tuple[str, ...]) -> None:
    text, status, loaded = look(*words)
    assert (status, loaded) == (0, [])
    for name, (_, _, line) in _COMMANDS.items():
        assert name in text and line.split()[0] in text


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help(name: str) -> None:
    text, status, _ = look(name, "--help")
    assert status == 0
    assert text.startswith(f"Usage: svsm-harness {name}")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("bogus",), "No such command 'bogus'"),
        (("--bogus",), "No such option: --bogus"),
        (("run", "--bogus"), "No such option: --bogus"),
        (("run", "-n"), "-n"),
        (("run", "-n", "many"), "-n"),
        (("run", "-n", "-1"), "-n"),
        (("run", "--platform", "moon"), "moon"),
        (("show", "--format", "xml"), "xml"),
        (("show", "a", "b"), "b"),
        (("shell",), "SCENARIO"),
        (("list", "/nonexistent.yaml"), "/nonexistent.yaml: there is no such file or folder"),
        (("show", "nonesuch", "--results", "/nonexistent"), "there is no run nonesuch"),
    ],
)
def test_a_wrong_word_is_status_2_and_a_sentence(words: tuple[str, ...], says: str) -> None:
    text, status, _ = look(*words)
    assert status == 2
    assert says in text and text.startswith("svsm-harness: ")
    assert "Traceback" not in text


def test_a_refused_option_says_where_the_options_are_listed() -> None:
    assert "`svsm-harness run --help` says what there is" in look("run", "--bogus")[0]
