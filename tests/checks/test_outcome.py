from __future__ import annotations

from typing import Any

import pytest
from sample_facts import event, expect, lost

from harness.checks.base import Status
from harness.checks.outcome import OutcomeCheck
from harness.classify.outcome import OutcomeKind
from harness.evidence.records import Mark, QemuEnd

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE
READY = OutcomeCheck()
PANIC = OutcomeCheck(kind=OutcomeKind.GUEST_PANIC)
HANG = OutcomeCheck(kind=OutcomeKind.HANG)
SHUTDOWN = OutcomeCheck(kind=OutcomeKind.GUEST_SHUTDOWN)

GOOD: dict[str, Any] = {}
PANICKED = {"console": b"Kernel panic - not syncing: VFS: Unable to mount root fs\r\n", "ready_s": None}
HUNG = {"ready_s": None, "gave_up_s": 57.0, "marks": (Mark("kernel", 0.6),)}
RESET = {"events": (event("SHUTDOWN", 7.0, reason="guest-reset"),)}
OFF = {"events": (event("SHUTDOWN", 7.0, reason="guest-shutdown"),)}
KILLED = {"qemu_end": QemuEnd(-9, asked=False)}
LOST = {"ready_s": None}


@pytest.mark.parametrize(
    ("check", "facts", "status", "operands"),
    [
        (READY, GOOD, PASS, ["ready after 4.2 s"]),
        (READY, PANICKED, FAIL, ["guest-panic: ", "VFS: Unable to mount root fs"]),
        (READY, HUNG, FAIL, ["hang: ", "not ready after 57.0 s"]),
        (READY, RESET, FAIL, ["guest-reset 7.0 s"]),
        (READY, KILLED, FAIL, ["killed by signal 9"]),
        (READY, LOST, INCONCLUSIVE, ["neither ready nor why not"]),
        (PANIC, PANICKED, PASS, ["VFS"]),
        (PANIC, GOOD, FAIL, ["ready after 4.2 s; expected guest-panic"]),
        (PANIC, LOST, INCONCLUSIVE, []),
        (HANG, HUNG, PASS, []),
        (SHUTDOWN, OFF, PASS, []),
        (SHUTDOWN, RESET, FAIL, ["guest-reset", "expected guest-shutdown"]),
        (OutcomeCheck(kind=OutcomeKind.HANG, phase="kernel"), HUNG, PASS, []),
        (OutcomeCheck(kind=OutcomeKind.HANG, phase="init"), HUNG, FAIL, ["expected it in phase init, it was kernel"]),
        (OutcomeCheck(phase="ssh"), GOOD, PASS, []),
    ],
)
def test_how_a_boot_must_end(check: OutcomeCheck, facts: dict[str, Any], status: Status, operands: list[str]) -> None:
    expect(check, status, *operands, **facts)


@pytest.mark.parametrize("what", ["console", "qmp"])
@pytest.mark.parametrize(
    ("check", "facts", "status"),
    [
        (READY, GOOD, INCONCLUSIVE),  # a crash or a shutdown may be in what was lost
        (READY, HUNG, FAIL),  # whatever was lost, it was not ready
        (READY, RESET, FAIL),
        (READY, PANICKED, FAIL),
        (PANIC, PANICKED, PASS),  # nothing can undo a panic that was seen
        (PANIC, HUNG, INCONCLUSIVE),  # the panic may be in what was lost
        (PANIC, KILLED, FAIL),
        (HANG, HUNG, INCONCLUSIVE),
        (SHUTDOWN, GOOD, INCONCLUSIVE),
        (OutcomeCheck(kind=OutcomeKind.GUEST_PANIC, phase="start"), PANICKED, INCONCLUSIVE),
    ],
)
def test_what_a_loss_leaves_standing(what: str, check: OutcomeCheck, facts: dict[str, Any], status: Status) -> None:
    expect(check, status, losses=lost(what), **facts)


def test_a_loss_of_samples_does_not_concern_the_outcome() -> None:
    expect(READY, PASS, losses=lost("samples"))


def test_the_kind_is_written_as_a_word() -> None:
    assert OutcomeCheck.model_validate({"kind": "guest-panic"}) == PANIC
