"""Assemble the commands; each lives in its own module, imported only when it runs, so that help is instant."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import typer

from harness.errors import InputError

__all__ = ["run_app"]

# Command → the module and function that carry it out, and its line in the overview.
_COMMANDS = {
    "run": ("run", "run", "Boot the scenarios, judge each boot, record everything."),
    "stability": ("stability", "stability", "Boot a scenario many times, and say how often it fails."),
    "compare": ("compare", "compare", "Say what differs between runs, or between settings booted interleaved."),
    "bisect": ("bisect", "bisect", "Find what makes a failure, also one that comes in few boots."),
    "list": ("catalogue", "list_variants", "List scenarios, their variants and grades."),
    "validate": ("catalogue", "validate", "Check scenario files; errors with line and column."),
    "schema": ("catalogue", "schema", "Print the JSON Schema of scenario files."),
    "doctor": ("doctor", "doctor", "Say what this machine can run, and what is in the way of more."),
    "hosts": ("hosts", "hosts", "Say who has which host; hold one; do jobs on all of them."),
    "show": ("show", "show", "Show a recorded run, or one of its boots."),
    "replay": ("show", "replay", "Judge recorded boots again, from the record alone."),
    "history": ("history", "history", "Show rates, times and kinds of failure over all nights."),
    "report": ("report", "report", "Write runs as a page, or for another system."),
    "nightly": ("nightly", "nightly", "Make one night: the set, campaigns until its time is spent, the page."),
    "bundle": ("bundle", "bundle", "Pack one boot into an archive that boots without the harness."),
    "prune": ("prune", "prune", "Delete the logs of old boots, never a failure's first example."),
    "repro": ("repro", "repro", "Print how to reproduce a recorded boot, and do it."),
    "selftest": ("selftest", "selftest", "Put in faults on purpose, and see that the checks notice."),
    "shell": ("shell", "shell", "Boot a scenario and stay in it."),
}
# The root of what Typer refuses of a command line. It has no public name: newer releases of Typer carry their own copy
# of Click, older ones use the package.
_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
_ABOUT = """Boot SVSM and VMPL configurations under QEMU/KVM, watch them, and judge what they did.

Every verdict names its grade of evidence, weakest first: model (the VMPL model payload), nocc (an SVSM
without SNP), tcg (Linux on an emulated CPU), kvm (real KVM), snp, svsm.

Start with:  svsm-harness doctor  |  svsm-harness run  |  svsm-harness show latest
"""


def run_app() -> int:
    """Run the command that ``sys.argv`` names and return its exit status.

    :raise InputError: if there is no such command or option.
    :raise HarnessError: as the command.
    :raise KeyboardInterrupt: if it was interrupted before it could end in its own way.
    """
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    app = typer.Typer(
        help=_ABOUT,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root() -> None: ...

    for name, (module, function, line) in _COMMANDS.items():
        if name == wanted:
            command = getattr(importlib.import_module(f"harness.cli.{module}"), function)
            app.command(name, short_help=line)(_interruptible(command))
        else:
            app.command(name, help=line)(_not_loaded)
    try:
        result: Any = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except _USAGE_ERROR as error:
        help_line = " ".join(["svsm-harness", *(name for name in _COMMANDS if name == wanted), "--help"])
        raise InputError(f"{error.format_message()}\n`{help_line}` says what there is") from error
    except (_Interrupted, typer.Abort) as error:
        raise KeyboardInterrupt from error
    return result if isinstance(result, int) else 0


def _not_loaded() -> None: ...


class _Interrupted(Exception):
    pass


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    # Typer answers a KeyboardInterrupt itself, with status 130 and without a word; what is no such thing it lets pass.
    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt as error:
            raise _Interrupted from error

    return wrapped
