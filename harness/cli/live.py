"""Show running boots while they run: a live line each on a terminal, a line when each is done elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.boot.context import Progress
from harness.campaign import Observer
from harness.cli.table import one_line
from harness.clock import monotonic_s
from harness.results.record import BootIdentity, BootLine
from harness.units import format_duration

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["watch"]

_REFRESH_PER_S = 8


@dataclass
class _Board:
    total: int
    done: int = 0
    running: dict[str, tuple[float, Progress]] = field(default_factory=dict)

    def progress(self, identity: BootIdentity, progress: Progress) -> None:
        since_s, _ = self.running.get(identity.variant, (monotonic_s(), progress))
        self.running[identity.variant] = (since_s, progress)

    def finished(self, line: BootLine) -> None:
        self.running.pop(line.identity.variant, None)
        self.done += 1

    def __rich__(self) -> Text:
        from rich.text import Text

        rows = [f"{self.done} of {self.total} boots done"]
        for variant, (since_s, progress) in self.running.items():
            elapsed = format_duration(monotonic_s() - since_s)
            rows.append(f"  {variant}  {elapsed:>7}  {progress.phase:<12} {one_line(progress.line)}")
        return Text("\n".join(rows), no_wrap=True, overflow="ellipsis")


@contextmanager
def watch(total: int, quiet: bool) -> Iterator[Observer]:
    """Yield an observer that shows ``total`` boots on standard error; ``quiet`` shows nothing."""
    if quiet:
        yield Observer(lambda identity, progress: None, lambda line: None)
        return
    board = _Board(total)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(board, console=Console(stderr=True), refresh_per_second=_REFRESH_PER_S, transient=True):
            yield Observer(board.progress, board.finished)
        return

    def finished(line: BootLine) -> None:
        board.finished(line)
        took = format_duration(line.duration_s)
        print(f"[{board.done}/{total}] {line.status} {line.identity.variant} ({took})", file=sys.stderr, flush=True)

    yield Observer(board.progress, finished)
