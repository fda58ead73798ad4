"""Show a campaign while it runs: how far, what failed, the interval so far, and how long it still takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.boot.context import Progress
from harness.checks.base import Status
from harness.cli.stability_text import interval_text
from harness.cli.table import one_line
from harness.clock import monotonic_s
from harness.results.record import BootIdentity, BootLine
from harness.stability.account import Account, failure_signature
from harness.stability.run import Watcher
from harness.stability.time_left import time_left_s
from harness.units import format_duration

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Board", "watch_campaign"]

_REFRESH_PER_S = 4
_SHOWN_KINDS = 8
# Where nobody looks at a terminal: so many lines in all, beside one for each failure.
_LINES = 20


@dataclass
class Board:
    """Be what is shown; ``begin_s`` and ``before`` are when this process began, and what was recorded then.

    ``standing`` says in a line what the boots show so far. ``expected_s`` is what each boot was expected to add, by
    those recorded earlier; None: there are none.
    """

    account: Account
    standing: Callable[[Account], str] = interval_text
    begin_s: float = field(default_factory=monotonic_s)
    expected_s: float | None = None
    before: int = 0
    running: dict[int, tuple[float, Progress]] = field(default_factory=dict)
    interval: str = ""

    def __post_init__(self) -> None:
        """Note how far the run is already, and load scipy now rather than beside a running boot."""
        self.before = len(self.account.lines)
        self.interval = self.standing(self.account)

    def watch(self, identity: BootIdentity, what: Progress | BootLine) -> None:
        """Take what a boot reports."""
        turn = identity.turn or 0
        if isinstance(what, Progress):
            self.running[turn] = (self.running.get(turn, (monotonic_s(), what))[0], what)
            return
        self.running.pop(turn, None)
        self.interval = self.standing(self.account)

    def headline(self, now_s: float) -> str:
        """Return the one line that says how it stands at ``now_s``."""
        return f"{self._done(now_s)}; {self.interval}"

    def _done(self, now_s: float) -> str:
        account = self.account
        done, total = len(account.lines), account.goal.boots
        lost = f", {len(account.lost_lines())} told nothing" if account.lost_lines() else ""
        failed = sum(line.status is Status.FAIL for line in account.lines.values())
        return f"{done} of {total} boots done, {failed} failed{lost}; {self._left(now_s)}"

    def _left(self, now_s: float) -> str:
        done = len(self.account.lines)
        left = self.account.goal.boots - done
        left_s = time_left_s(done - self.before, left, now_s - self.begin_s, self.expected_s)
        if left_s is None:
            return "time left not known yet"
        most = "at most " if self.account.goal.peeks else ""
        return f"{most}{format_duration(left_s)} left"

    def __rich__(self) -> Text:
        """Draw the board."""
        from rich.text import Text

        rows = [self._done(monotonic_s()), f"{self.interval} so far"]
        rows += [f"  {kind.boots:>5} {one_line(kind.signature)}" for kind in self.account.kinds()[:_SHOWN_KINDS]]
        for turn, (since_s, progress) in sorted(self.running.items()):
            elapsed = format_duration(monotonic_s() - since_s)
            rows.append(f"  boot {turn}  {elapsed:>7}  {progress.phase:<12} {one_line(progress.line)}")
        return Text("\n".join(rows), no_wrap=True, overflow="ellipsis")


@contextmanager
def watch_campaign(
    account: Account,
    quiet: bool,
    standing: Callable[[Account], str] = interval_text,
    expected_s: float | None = None,
) -> Iterator[Watcher]:
    """Yield what :func:`~harness.stability.run.make_boots` reports to; shown on standard error unless ``quiet``.

    ``standing`` and ``expected_s`` as in the :class:`Board`.
    """
    board = Board(account, standing, expected_s=expected_s)
    if quiet:
        yield board.watch
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(board, console=Console(stderr=True), refresh_per_second=_REFRESH_PER_S, transient=True):
            yield board.watch
        return
    every = max(1, account.goal.boots // _LINES)

    def watch(identity: BootIdentity, what: Progress | BootLine) -> None:
        board.watch(identity, what)
        if isinstance(what, Progress):
            return
        if what.status is not Status.PASS:
            why = failure_signature(what) if what.status is Status.FAIL else what.reason
            print(f"boot {identity.turn}: {what.status} {one_line(why)}", file=sys.stderr)
        if len(account.lines) % every == 0:
            print(board.headline(monotonic_s()), file=sys.stderr, flush=True)

    yield watch
