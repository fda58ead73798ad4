from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from classify.hang_facts import cpu, hung, looks

from harness.boot.hang_trials import Answered, answer, confusion, hidden, plan_hangs, problems
from harness.classify.hang import Hang
from harness.classify.kinds import HangKind, Sure
from harness.evidence.vitals import Pending


def _hang(kind: HangKind, where: str = "") -> Hang:
    return Hang(kind, Sure.LIKELY, ("seen",), where)


def _answered(kind: HangKind, seen: HangKind, unseen: HangKind, where: str = "", said: str = "") -> Answered:
    return Answered("x", kind, _hang(seen, said), _hang(unseen, said), "boots/0001", where=where)


def test_every_kind_is_produced(tmp_path: Path) -> None:
    trials = plan_hangs(tmp_path)
    assert {trial.kind for trial in trials} == set(HangKind) - {HangKind.UNKNOWN}
    assert len({trial.plan.variant.slug for trial in trials}) == len(trials)
    assert {trial.where for trial in trials} == {"", "VMPL0", "VMPL2"}


def test_what_is_booted_is_there(tmp_path: Path) -> None:
    named = set()
    for trial in plan_hangs(tmp_path):
        setting = trial.plan.setting
        named |= {setting.machine.firmware}
        if setting.guest is not None:
            named |= {setting.guest.init, *setting.guest.files.values()}
        if setting.payload is not None and "/" in setting.payload.image:
            named.add(setting.payload.image)
    files = {Path(name) for name in named if name is not None}
    assert len(files) == 9 and all(path.stat().st_size for path in files)


def test_what_encryption_hides_is_taken_away() -> None:
    facts = hung(looks((0.0,), cpus=[cpu(halted=True, on=False)]))
    assert facts.vitals is not None
    facts = replace(facts, vitals=replace(facts.vitals, pending=(Pending(0, (49,)),)))
    bare = hidden(facts).vitals
    assert bare is not None and bare.pending == () and all(look.cpus == () for look in bare.looks)
    assert [look.threads for look in bare.looks] == [look.threads for look in facts.vitals.looks]
    assert hidden(hung(None)) == hung(None)


def test_a_trial_is_answered_twice(tmp_path: Path) -> None:
    trial = next(trial for trial in plan_hangs(tmp_path) if trial.kind is HangKind.HALTED)
    given = answer(trial, hung(looks((0.0,), cpus=[cpu(halted=True, on=False)])), "boots/0001")
    assert given.seen is not None and given.unseen is not None
    assert (given.seen.kind, given.unseen.kind) == (HangKind.HALTED, HangKind.IDLE)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (_answered(HangKind.SPIN, HangKind.SPIN, HangKind.SPIN), 0),
        (_answered(HangKind.SPIN, HangKind.SPIN, HangKind.UNKNOWN), 0),
        (_answered(HangKind.HALTED, HangKind.HALTED, HangKind.IDLE), 0),
        (_answered(HangKind.SPIN, HangKind.SPIN, HangKind.IDLE), 1),
        (_answered(HangKind.SPIN, HangKind.UNKNOWN, HangKind.UNKNOWN), 1),
        (_answered(HangKind.SPIN, HangKind.IDLE, HangKind.IDLE), 2),
        (_answered(HangKind.SPIN, HangKind.SPIN, HangKind.SPIN, "VMPL0", "VMPL0"), 0),
        (_answered(HangKind.SPIN, HangKind.SPIN, HangKind.SPIN, "VMPL0", "VMPL2"), 1),
        (Answered("x", HangKind.SPIN, None, None, why="host: no QEMU"), 1),
    ],
)
def test_what_must_not_be_answered(given: Answered, wrong: int) -> None:
    assert len(problems([given])) == wrong


def test_the_table_counts_by_what_was_done() -> None:
    given = [
        _answered(HangKind.SPIN, HangKind.SPIN, HangKind.UNKNOWN),
        _answered(HangKind.SPIN, HangKind.IDLE, HangKind.SPIN),
        Answered("x", HangKind.SLOW, None, None),
    ]
    assert confusion(given, unseen=False) == {
        HangKind.SPIN: Counter({HangKind.SPIN: 1, HangKind.IDLE: 1}),
        HangKind.SLOW: Counter(),  # tried, and not booted
    }
    assert confusion(given, unseen=True)[HangKind.SPIN] == Counter({HangKind.SPIN: 1, HangKind.UNKNOWN: 1})
