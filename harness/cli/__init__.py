"""Be the command line: the only place, beside the pytest plugin, that prints or exits."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from harness.cli.exit_status import ExitStatus, for_bisect
from harness.errors import EvidenceLost, HarnessError, HostError, InputError

__all__ = ["main"]


def main() -> None:
    """Run the command that was typed, and turn an error into a sentence and the documented exit status."""
    status = _bisect_status() if "--bisect-exit" in sys.argv else _status(_run)
    # Everything is said and done; a Ctrl-C while Python shuts down would only add a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has what it wanted; Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _run() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored, and wants it so
            signal.signal(number, _interrupt)
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds:
        signal.signal(signal.SIGINT, _leave)
    # Here, not above: from now on a Ctrl-C is answered properly, while the modules load too.
    from harness.cli.app import run_app

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run_app()


def _bisect_status() -> int:
    # All of it, what Typer refuses included: git takes every status from 1 to 127 but 125 for a bad commit.
    try:
        return for_bisect(_status(_run))
    except Exception:
        # With a traceback, Python would end with 1.
        import traceback

        traceback.print_exc()
        return for_bisect(ExitStatus.ERROR)


def _leave(number: int, frame: FrameType | None) -> None:
    # While modules load there is nothing to undo; and a KeyboardInterrupt is lost where Python ignores exceptions, such
    # as in the weak references that importlib keeps of its locks.
    os.write(sys.stderr.fileno(), b"svsm-harness: interrupted\n")
    os._exit(ExitStatus.INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # To be stopped by a service manager, a CI system or a closed terminal is the same as Ctrl-C.
    signal.raise_signal(signal.SIGINT)


def _status(command: Callable[[], int]) -> int:
    try:
        return command()
    except InputError as error:
        print(f"svsm-harness: {error}", file=sys.stderr)
        return ExitStatus.BAD_INPUT
    except (HostError, EvidenceLost) as error:
        print(f"svsm-harness: {error}", file=sys.stderr)
        return ExitStatus.ERROR
    except HarnessError as error:
        print(f"svsm-harness: {type(error).__name__}: {error}", file=sys.stderr)
        return ExitStatus.ERROR
    except KeyboardInterrupt:
        print("svsm-harness: interrupted", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        return ExitStatus.PASSED
