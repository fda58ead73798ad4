"""Be the command line: the only place, beside the pytest plugin, that prints or exits."""

from __future__ import annotations

import sys
from collections.abc import Callable

from harness.cli.app import run_app
from harness.cli.exit_status import ExitStatus
from harness.errors import HarnessError, HostError, InputError

__all__ = ["main"]


def main() -> None:
    """Run the command that was typed, and turn an error into a sentence and the documented exit status."""
    sys.exit(_status(run_app))


def _status(command: Callable[[], int]) -> int:
    try:
        return command()
    except InputError as error:
        print(f"svsm-harness: {error}", file=sys.stderr)
        return ExitStatus.BAD_INPUT
    except HostError as error:
        print(f"svsm-harness: {error}", file=sys.stderr)
        return ExitStatus.ERROR
    except HarnessError as error:
        print(f"svsm-harness: {type(error).__name__}: {error}", file=sys.stderr)
        return ExitStatus.ERROR
    except KeyboardInterrupt:
        print("svsm-harness: interrupted", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has what it wanted; Python would complain once more while it flushes at exit.
        sys.stderr.close()
        return ExitStatus.PASSED
