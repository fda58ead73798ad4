"""Run the harness's own command as a process of its own, so that whatever ends it is a status and not our end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "harness_argv", "run_child"]


@dataclass(frozen=True, slots=True)
class Ended:
    """Be a command that has ended; ``status`` is below 0 where a signal ended it, ``out`` its standard output."""

    status: int
    out: str


def harness_argv(words: Sequence[str]) -> list[str]:
    """Return the command line of ``svsm-harness WORDS``, by the Python that runs us."""
    # -P: a folder named harness where we are started must not take the place of the package.
    return [sys.executable, "-P", "-m", "harness.cli", *words]


def run_child(words: Sequence[str], folder: Path | None = None) -> Ended:
    """Run ``svsm-harness WORDS`` in ``folder`` (None: here) to its end; its standard error is ours.

    :raise KeyboardInterrupt: after it was interrupted too, and has recorded what was finished.
    """
    # A process group of its own: a Ctrl-C reaches it once, from us, and not a second time while it cleans up.
    with subprocess.Popen(
        harness_argv(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=folder, process_group=0
    ) as process:
        try:
            out, _ = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    return Ended(process.returncode, out)
