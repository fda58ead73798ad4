"""Keep every step of a bisection in ``journal.jsonl``: append-only, on the disk before it counts, whole lines only.

What a bisection knows is what its journal says, and nothing else: to go on after a crash, and to derive the answer
again, is to read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from harness.errors import HostError
from harness.results.files import append_line, read_lines
from harness.scenario.model import Platform
from harness.stats.bisect import AnswerKind, Known, Question
from harness.stats.bisect_posterior import Tally

__all__ = [
    "Booted",
    "Checked",
    "Concluded",
    "End",
    "Ended",
    "Entry",
    "HostOpened",
    "Journal",
    "Prepared",
    "Recorded",
    "Stage",
    "Switched",
    "Untestable",
    "concluded_of",
    "ended_of",
    "known_of",
]


@dataclass(frozen=True, slots=True)
class Stage:
    """Begin a search over ``labels``, from the good end to the bad one; ``what`` says what they are.

    ``inherited`` are boots that an earlier search made of the same positions.
    """

    stage: int
    what: str
    labels: tuple[str, ...]
    question: Question
    inherited: Mapping[int, Tally]
    kind: Literal["stage"] = "stage"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Say that a position can be booted; equal ``digest`` means equal content (None: not known)."""

    stage: int
    position: int
    digest: str | None
    took_s: float
    kind: Literal["prepared"] = "prepared"


#: Name an end of what is searched.
End = Literal["good", "bad"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Count boots of an end that earlier runs recorded: ``runs`` as they were named; it belongs to no search.

    All were made with the same ``parts`` (name to digest or version; ``QEMU`` and ``CPU`` among them), and have the
    grade of evidence ``platform``.
    """

    end: End
    runs: tuple[str, ...]
    tally: Tally
    platform: Platform
    parts: Mapping[str, str]
    stage: int = -1
    kind: Literal["recorded"] = "recorded"


@dataclass(frozen=True, slots=True)
class HostOpened:
    """Say on which host the boots that follow are made; it belongs to no search (``stage`` -1)."""

    name: str
    release: str
    cpu: str
    cpus: int
    stage: int = -1
    kind: Literal["host"] = "host"


@dataclass(frozen=True, slots=True)
class Switched:
    """Say that the host runs the kernel of a position: it was seen to run ``release``.

    ``build_id`` is that of the running kernel and of the image alike; None: ``note`` says why only the release was
    compared. ``took_s`` is 0 where it ran already.
    """

    stage: int
    position: int
    release: str
    build_id: str | None
    note: str
    took_s: float
    kind: Literal["switch"] = "switch"


@dataclass(frozen=True, slots=True)
class Untestable:
    """Say why a position cannot be tested; that acquits nobody."""

    stage: int
    position: int
    why: str
    kind: Literal["untestable"] = "untestable"

    @property
    def brief(self) -> str:
        """Return ``why`` in a line: its first one, and of a build's words the first that is an error, or the last."""
        first, *words = self.why.splitlines()
        if not words:
            return first
        return f"{first} {next((line for line in words if 'error' in line.lower()), words[-1]).strip()}"


@dataclass(frozen=True, slots=True)
class Booted:
    """Be one boot of a position: ``counts`` is bad with the signature looked for, good, or other (told nothing).

    ``signature`` is that of a failure, None of a pass; ``folder`` the boot's in the run (None: nothing was booted).
    """

    stage: int
    position: int
    counts: Literal["bad", "good", "other"]
    signature: str | None
    folder: str | None
    duration_s: float
    kind: Literal["boot"] = "boot"


@dataclass(frozen=True, slots=True)
class Ended:
    """End a search; ``first`` and ``last`` are the candidates, None where the ends do not differ.

    One that ended undecided may go on with more boots, and end once more.
    """

    stage: int
    answer: AnswerKind
    first: int | None
    last: int | None
    probability: float
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True)
class Checked:
    """Say whether position 0 of a search over a set fails by itself: what is in place there is enough."""

    stage: int
    enough: bool
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True)
class Concluded:
    """End all searches: what they say together, and its probability; it belongs to none of them.

    As a search that ended undecided, the whole may go on, and conclude once more.
    """

    answer: AnswerKind
    probability: float
    stage: int = -1
    kind: Literal["concluded"] = "concluded"


Entry = Concluded | Stage | Checked | Recorded | HostOpened | Prepared | Switched | Untestable | Booted | Ended
_entry_json: TypeAdapter[Entry] = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class Journal:
    """Be the journal in the folder of a run."""

    path: Path

    def append(self, entry: Entry) -> None:
        """Record an entry; when this returns, it is on the disk.

        :raise HostError: if it cannot be written.
        """
        append_line(self.path, _entry_json.dump_json(entry))

    def entries(self) -> Iterator[Entry]:
        """Read what is recorded; a line that a crash cut short never counted, and is passed over.

        :raise HostError: if it cannot be read.
        :raise InputError: if a line is whole but says something else.
        """
        try:
            yield from read_lines(self.path, _entry_json)
        except FileNotFoundError:
            return
        except OSError as error:
            raise HostError(f"{self.path} cannot be read: {error.strerror}") from error


def ended_of(entries: Sequence[Entry], stage: int) -> Ended | None:
    """Return how a search ended; None: it has not, or has gone on since."""
    own = (entry for entry in reversed(entries) if entry.stage == stage and isinstance(entry, Ended | Booted))
    last = next(own, None)
    return last if isinstance(last, Ended) else None


def concluded_of(entries: Sequence[Entry]) -> Concluded | None:
    """Return what all searches together say; None: they have not ended, or have gone on since."""
    steps = Concluded | Stage | Checked | Untestable | Booted | Ended
    last = next((entry for entry in reversed(entries) if isinstance(entry, steps)), None)
    return last if isinstance(last, Concluded) else None


def known_of(entries: Sequence[Entry], stage: int) -> Known:
    """Return what the entries of one search make known.

    Positions with identical content are one: no candidate between them can be the cause.
    """
    tallies: dict[int, Tally] = {}
    untestable: set[int] = set()
    acquitted: set[int] = set()
    digests: dict[str, list[int]] = {}
    for entry in entries:
        if entry.stage != stage:
            continue
        if isinstance(entry, Stage):
            tallies.update(entry.inherited)
        elif isinstance(entry, Booted):
            more = Tally(**{entry.counts: 1})
            tallies[entry.position] = tallies.get(entry.position, Tally()) + more
        elif isinstance(entry, Untestable):
            untestable.add(entry.position)
        elif isinstance(entry, Prepared) and entry.digest is not None:
            digests.setdefault(entry.digest, []).append(entry.position)
    for positions in digests.values():
        acquitted.update(range(min(positions) + 1, max(positions) + 1))
    return Known(tallies, untestable, acquitted)
