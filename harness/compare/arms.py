"""Gather the boots that are compared, from the record alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.checks.base import Status
from harness.errors import InputError
from harness.evidence.startup import phases
from harness.results.load import load_marks
from harness.results.record import BootIdentity, BootLine
from harness.results.store import Run, find_part, read_about
from harness.stability.account import failure_signature
from harness.stability.plan import CampaignPlan, place_of_turn, read_plan

__all__ = ["START_UP", "Arm", "ArmBoot", "names_of_times", "planned_arms", "recorded_arms"]

#: The time from QEMU's start until the guest was ready, beside the phases that it consists of.
START_UP = "start-up"
_TOLD = (Status.PASS, Status.FAIL)


@dataclass(frozen=True, slots=True)
class ArmBoot:
    """Be one boot: its line, and ``times_s`` of its phases by their names.

    ``block`` is shared with the boots of other arms that were made beside it, in an order that no state of the machine
    could know; None: there are none.
    """

    line: BootLine
    block: int | None
    times_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Arm:
    """Be one side of a comparison; ``what`` says what it is."""

    label: str
    what: str
    boots: tuple[ArmBoot, ...]

    def count(self, *statuses: Status) -> int:
        """Count the boots that ended so."""
        return sum(boot.line.status in statuses for boot in self.boots)

    @property
    def bad(self) -> int:
        """Count the boots that failed."""
        return self.count(Status.FAIL)

    @property
    def told(self) -> int:
        """Count the boots that told something."""
        return self.count(*_TOLD)

    @property
    def lost(self) -> int:
        """Count the boots that told nothing."""
        return len(self.boots) - self.told

    def kinds(self) -> Counter[str]:
        """Count the failures by signature."""
        return Counter(failure_signature(boot.line) for boot in self.boots if boot.line.status is Status.FAIL)


def planned_arms(run: Run, plan: CampaignPlan) -> tuple[Arm, ...]:
    """Return the arms of a run that was made to compare settings; only blocks whose boots have all ended count.

    A boot that hangs ends late: to count the others of its block without it would favour its arm.
    """
    blocks: dict[int, dict[int, BootLine]] = {}
    for line in run.lines() if run.any_ended else ():
        turn = line.identity.turn
        if turn is not None and turn <= plan.goal.boots:
            place = place_of_turn(plan, turn)
            blocks.setdefault(place.block, {}).setdefault(place.arm, line)
    whole = {block: lines for block, lines in blocks.items() if len(lines) == len(plan.arms)}
    arms = []
    for at, text in enumerate(plan.arms):
        label, _, what = text.partition(": ")
        boots = (ArmBoot(lines[at], block, _times(run, lines[at])) for block, lines in sorted(whole.items()))
        arms.append(Arm(label, what, tuple(boots)))
    return tuple(arms)


def recorded_arms(results: Path, names: Sequence[str]) -> tuple[Arm, ...]:
    """Return an arm for each of ``names``: ``RUN``, or ``RUN:NAME`` for one of its scenarios or variants.

    Whole runs are compared by the variants that all of them have.

    :raise InputError: if there is no such run, it has nothing of that name, or grades of evidence differ.
    """
    found = [find_part(results, name) for name in names]
    lines = [
        [line for line in run.lines() if wanted in (None, line.identity.variant, line.identity.scenario)]
        for run, wanted in found
    ]
    if all(wanted is None for _, wanted in found):
        common = set.intersection(*({_key(line.identity) for line in some} for some in lines))
        lines = [[line for line in some if _key(line.identity) in common] for some in lines]
    for name, some in zip(names, lines, strict=True):
        if not some:
            raise InputError(f"{name} has no boots to compare: no variant of that name, or none that the others have")
    grades = sorted({line.identity.platform for some in lines for line in some})
    if len(grades) > 1:
        raise InputError(
            f"boots of different grades ({' and '.join(grades)}) are not compared; choose one variant of each run with "
            "RUN:VARIANT"
        )
    block_of = _block_of(found[0][0]) if len({run.folder for run, _ in found}) == 1 else _no_block
    labels = [chr(ord("A") + at) for at in range(len(names))]
    return tuple(
        Arm(label, name, tuple(ArmBoot(line, block_of(line), _times(run, line)) for line in some))
        for label, name, some, (run, _) in zip(labels, names, lines, found, strict=True)
    )


def _key(identity: BootIdentity) -> tuple[str, str]:
    return identity.variant, identity.platform


def _no_block(line: BootLine) -> int | None:
    return None


def _block_of(run: Run) -> Callable[[BootLine], int | None]:
    # Variants of one campaign took turns, so a round of them is as good as a block.
    if "stability" not in read_about(run):
        return _no_block
    plan = read_plan(run)
    return lambda line: None if line.identity.turn is None else place_of_turn(plan, line.identity.turn).block


def _times(run: Run, line: BootLine) -> Mapping[str, float]:
    if line.folder is None or line.status not in _TOLD:
        return {}
    folder = run.folder / line.folder
    record = run.read_record(folder)
    times = {phase.name: phase.duration_s for phase in phases(load_marks(folder, record))}
    return times if record.ready_s is None else {START_UP: record.ready_s, **times}


def names_of_times(arms: Iterable[Arm]) -> list[str]:
    """Return the names of all times, in the order in which start-up passes them."""
    names: dict[str, None] = {START_UP: None}
    for arm in arms:
        for boot in arm.boots:
            names |= dict.fromkeys(boot.times_s)
    return list(names)
