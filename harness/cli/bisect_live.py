"""Show a bisection while it runs: what is built or booted now, how each position came out, what is left to decide."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.boot.context import Progress
from harness.cli.table import one_line
from harness.clock import monotonic_s
from harness.regress.search import Standing
from harness.units import format_duration

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Board", "watch_search"]

_REFRESH_PER_S = 4
# Where nobody looks at a terminal, a long batch shows after each so many boots that it goes on.
_EVERY_BOOTS = 25


@dataclass
class Board:
    """Be what is shown; ``write`` takes a line that stays, ``brief`` keeps to those of positions that are done.

    ``begin_s`` is when the bisection began.
    """

    write: Callable[[str], None]
    brief: bool = True
    begin_s: float = field(default_factory=monotonic_s)
    standing: Standing | None = None
    since_s: float = 0.0
    written: Standing | None = None
    made: int = 0
    running: dict[int, tuple[float, Progress]] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Take a sentence."""
        self.close()
        self.write(text)

    def show(self, standing: Standing) -> None:
        """Take how a position stands; the line of the one before is then written."""
        before = self.standing
        if before is None or (before.label, before.booting) != (standing.label, standing.booting):
            self.close()
            self.since_s = monotonic_s()
        self.standing = standing
        told = standing.tally.told
        if not self.brief and standing.booting and told and told % _EVERY_BOOTS == 0:
            self.close()

    def boot(self, number: int, progress: Progress | None) -> None:
        """Take what boot ``number`` reports; None: it has ended."""
        if progress is None:
            self.made += self.running.pop(number, None) is not None
            return
        self.running[number] = (self.running.get(number, (monotonic_s(), progress))[0], progress)

    def close(self) -> None:
        """Write the line of the position that was booted last, if that is still to be done."""
        standing = self.standing
        if standing is not None and standing.booting:
            self.standing = None
            if standing != self.written:  # each batch begins with what the one before has ended with
                self.written = standing
                self.write(_line(standing))

    def __rich__(self) -> Text:
        """Draw the board."""
        from rich.text import Text

        now_s = monotonic_s()
        rows = []
        if self.standing is not None:
            what = _line(self.standing) if self.standing.booting else f"{self.standing.label}: making it ready"
            rows.append(f"{what}  {format_duration(now_s - self.since_s)}")
        for number, (since_s, progress) in sorted(self.running.items()):
            elapsed = format_duration(now_s - since_s)
            rows.append(f"  boot {number}  {elapsed:>7}  {progress.phase:<12} {one_line(progress.line)}")
        rows.append(f"boots made: {self.made}, in {format_duration(now_s - self.begin_s)}")
        return Text("\n".join(rows), no_wrap=True, overflow="ellipsis")


@contextmanager
def watch_search(quiet: bool) -> Iterator[Board]:
    """Yield the board of a bisection, which is shown on standard error unless ``quiet``."""
    if quiet:
        yield Board(lambda text: None)
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        board = Board(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
        live = Live(
            board, console=console, refresh_per_second=_REFRESH_PER_S, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        with live:
            yield board
            board.close()
        return
    board = Board(lambda text: print(text, file=sys.stderr, flush=True), brief=False)
    yield board
    board.close()


def _line(standing: Standing) -> str:
    tally = standing.tally
    nothing = f", {tally.other} told nothing" if tally.other else ""
    left = "" if standing.left_bits is None else f"; {standing.left_bits:.1f} bits left of the question"
    return f"{standing.label}: {tally.bad} of {tally.told} failed{nothing}{left}"
