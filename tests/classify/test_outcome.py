from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sample_facts import GOOD, event

from harness.classify.outcome import OutcomeKind, decide_outcome
from harness.evidence.records import BootFacts, Mark, QemuEnd

# Nothing at all was observed; each case adds the least that decides.
NOTHING = BootFacts(
    platform="tcg",
    vcpus=1,
    marks=(),
    steps=(),
    samples=(),
    events=(),
    console=b"",
    stderr="",
    losses=(),
    ready_s=None,
    gave_up_s=None,
    qemu_end=None,
)
PANIC = b"[    1.0] Kernel panic - not syncing: No working init found.\r\n"
OOPS = b"[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\r\n"
OFF = event("SHUTDOWN", 7.0, guest=True, reason="guest-shutdown")
RESET = event("SHUTDOWN", 7.0, guest=True, reason="guest-reset")
QUIT = event("SHUTDOWN", 9.0, guest=False, reason="host-qmp-quit")
PVPANIC = event("GUEST_PANICKED", 6.0, action="pause")
NO_CARD = b"[    2.0] svsm-harness: error: no network card: is its driver among the modules?\r\n"
BAIL = b"Bail out! no such option\n"
KERNEL = Mark("kernel", 0.6)

LEAST: dict[OutcomeKind, tuple[dict[str, Any], str]] = {
    OutcomeKind.READY: ({"ready_s": 4.2}, "ready"),
    OutcomeKind.GUEST_SHUTDOWN: ({"events": (OFF,)}, "guest-shutdown: guest-shutdown in start"),
    OutcomeKind.GUEST_RESET: ({"events": (RESET,)}, "guest-reset: guest-reset in start"),
    OutcomeKind.GUEST_PANIC: ({"console": PANIC}, "guest-panic: Kernel panic - not syncing: No working init found."),
    OutcomeKind.SVSM_PANIC: ({"console": b"Panic on CPU[1]! x"}, "svsm-panic: Panic on CPU N! x"),
    OutcomeKind.GUEST_OOPS: (
        {"console": OOPS},
        "guest-oops: BUG: kernel NULL pointer dereference",
    ),
    OutcomeKind.GUEST_LOCKUP: (
        {"console": b"watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:71]"},
        "guest-lockup: BUG: soft lockup - CPU N stuck for Ns! [sh:N]",
    ),
    OutcomeKind.FIRMWARE_CRASH: (
        {"console": b"!!!! X64 Exception Type - 0D(#GP - General Protection)  CPU Apic ID - 00000001 !!!!"},
        "firmware-crash: OVMF exception 0D(#GP - General Protection)",
    ),
    OutcomeKind.GUEST_TERMINATED: (
        {"stderr": "qemu-system-x86_64: SEV termination (reason set: 1 code: 7)\n"},
        "guest-terminated: termination 1:7",
    ),
    OutcomeKind.KVM_ERROR: (
        {"stderr": "KVM: entry failed, hardware error 0x0\nEAX=0\n"},
        "kvm-error: KVM: entry failed, hardware error 0x0",
    ),
    OutcomeKind.CORRUPTED: (
        {"gave_up_s": 57.0, "console": b"[    1.0] RIP: 0010:x+0x1/0x2\n"},
        "corrupted: a crash report without its first line, in start",
    ),
    OutcomeKind.UNKNOWN: (
        {"gave_up_s": 57.0, "console": b"hello\nfatal: no disk at 0x1f0\n"},
        "unknown: fatal: no disk at ADDR",
    ),
    OutcomeKind.PAYLOAD_ENDED: (
        {"debug_exit": True, "qemu_end": QemuEnd(33, asked=False)},
        "payload-ended: status 33",
    ),
    OutcomeKind.HANG: ({"gave_up_s": 57.0, "marks": (KERNEL,)}, "hang: after kernel"),
    OutcomeKind.NO_OUTPUT: ({"gave_up_s": 57.0}, "no-output"),
    OutcomeKind.QEMU_CRASH: ({"qemu_end": QemuEnd(-11, asked=False)}, "qemu-crash: signal 11"),
    OutcomeKind.QEMU_EXIT: ({"qemu_end": QemuEnd(1, asked=False)}, "qemu-exit: status 1"),
    OutcomeKind.LOST: ({}, "lost"),
}


@pytest.mark.parametrize("kind", OutcomeKind)
def test_the_least_that_decides_a_kind(kind: OutcomeKind) -> None:
    facts, signature = LEAST[kind]
    outcome = decide_outcome(replace(NOTHING, **facts))
    assert (outcome.kind, outcome.signature) == (kind, _short(signature))
    assert outcome.detail


def _short(signature: str) -> str:
    # The kind is not said twice.
    kind, _, rest = signature.partition(": ")
    return rest if rest.startswith(kind) else signature


@pytest.mark.parametrize(
    ("facts", "kind", "detail"),
    [
        # What proves more stands above what proves less.
        ({"console": PANIC, "qemu_end": QemuEnd(-9, asked=False)}, "qemu-crash", "killed by signal 9"),
        ({"console": PANIC, "qemu_end": QemuEnd(1, asked=False)}, "guest-panic", "No working init"),
        ({"console": PANIC, "events": (RESET,)}, "guest-panic", "No working init"),
        ({"console": PANIC, "ready_s": 4.2}, "guest-panic", "No working init"),
        ({"console": OOPS + PANIC}, "guest-panic", "No working init"),
        ({"console": OOPS, "events": (RESET,)}, "guest-reset", "guest-reset 7.0 s after start"),
        ({"console": OOPS, "ready_s": 4.2}, "guest-oops", "NULL pointer"),
        ({"console": OOPS, "gave_up_s": 57.0}, "guest-oops", "NULL pointer"),
        ({"events": (OFF,), "ready_s": 4.2}, "guest-shutdown", "guest-shutdown 7.0 s after start"),
        ({"events": (QUIT, OFF)}, "guest-shutdown", "7.0 s"),
        ({"gave_up_s": 57.0, "ready_s": 4.2}, "ready", "ready after 4.2 s"),
        # What we did ourselves is no finding.
        ({"ready_s": 4.2, "events": (QUIT,), "qemu_end": QemuEnd(0, asked=True)}, "ready", "4.2 s"),
        ({"ready_s": 4.2, "qemu_end": QemuEnd(-9, asked=True)}, "ready", "4.2 s"),
        ({"gave_up_s": 57.0, "qemu_end": QemuEnd(-9, asked=True), "console": b"x"}, "hang", "start, was at 0.0 s"),
        # isa-debug-exit says nothing and ends with an odd status; everything else that ends QEMU is QEMU's.
        ({"debug_exit": True, "qemu_end": QemuEnd(1, asked=False)}, "payload-ended", "exit status 1"),
        ({"debug_exit": True, "qemu_end": QemuEnd(2, asked=False)}, "qemu-exit", "exit status 2"),
        (
            {"debug_exit": True, "qemu_end": QemuEnd(33, asked=False), "stderr": "qemu: warning: 4 cpus requested\n"},
            "payload-ended",
            "exit status 33",
        ),
        (
            {"debug_exit": True, "qemu_end": QemuEnd(1, asked=False), "stderr": "a\nout of memory\n"},
            "qemu-exit",
            "memory",
        ),
        ({"debug_exit": True, "qemu_end": QemuEnd(-6, asked=False)}, "qemu-crash", "signal 6"),
        ({"qemu_end": QemuEnd(33, asked=False)}, "qemu-exit", "exit status 33"),
        # What KVM and the guest's last request prove stands above how QEMU ended, and below the guest's own words.
        (
            {"stderr": "KVM internal error. Suberror: 1", "qemu_end": QemuEnd(1, asked=False)},
            "kvm-error",
            "Suberror: 1",
        ),
        ({"stderr": "KVM internal error. Suberror: 1", "console": PANIC}, "guest-panic", "No working init"),
        ({"console": PANIC, "events": (PVPANIC,)}, "guest-panic", "No working init"),
        ({"events": (PVPANIC, RESET)}, "guest-panic", "told QEMU"),
        ({"stderr": "SEV termination (reason set: 1 code: 8)"}, "guest-terminated", "an SVSM although at VMPL0"),
        ({"stderr": "SEV termination (reason set: 15 code: 1)"}, "guest-terminated", "not in the table"),
        # Where nothing ended by itself, a line that nobody minds otherwise says why.
        ({"gave_up_s": 57.0, "console": NO_CARD}, "hang", "no network card"),
        ({"ready_s": 4.2, "console": NO_CARD}, "ready", "the console also says: svsm-harness: error: no network card"),
        ({"gave_up_s": 57.0, "stderr": "warning: memory fault: GPA 0x0 size 0x1000"}, "no-output", "memory fault"),
        ({"events": (RESET,), "console": b"DXE ResetSystem2: ResetType Cold, x"}, "guest-reset", "ResetSystem2"),
        ({"console": PANIC[:27], "gave_up_s": 57.0}, "corrupted", "without its first line"),
        ({"console": PANIC[:27], "ready_s": 4.2}, "ready", "ready after 4.2 s"),
        # A payload's own status, with what it said only where it did not pass.
        ({"debug_exit": True, "qemu_end": QemuEnd(37, asked=False), "console": BAIL}, "payload-ended", "refused its"),
        ({"debug_exit": True, "qemu_end": QemuEnd(37, asked=False), "console": BAIL}, "payload-ended", "Bail out! no"),
        # Events without the text that is looked for.
        ({"ready_s": 4.2, "events": (event("SHUTDOWN"), event("SHUTDOWN", reason=7))}, "ready", ""),
        ({"ready_s": 4.2, "events": (event("RESET", reason="guest-reset"),)}, "ready", ""),
    ],
)
def test_what_decides_when_more_was_seen(facts: dict[str, Any], kind: str, detail: str) -> None:
    outcome = decide_outcome(replace(NOTHING, **facts))
    assert outcome.kind == kind
    assert detail in outcome.detail


def test_the_reason_of_an_end_is_in_its_signature() -> None:
    def signature(**changes: Any) -> str:
        return decide_outcome(replace(NOTHING, **changes)).signature

    assert signature(gave_up_s=57.0, console=NO_CARD) == (
        "hang: after start; svsm-harness: error: no network card: is its driver among the modules?"
    )
    assert signature(console=OOPS, events=(RESET,)) == ("guest-reset in start; BUG: kernel NULL pointer dereference")
    assert signature(qemu_end=QemuEnd(37, asked=False), debug_exit=True, console=BAIL) == (
        "payload-ended: status 37; Bail out! no such option"
    )
    assert signature(qemu_end=QemuEnd(33, asked=False), debug_exit=True, console=BAIL) == "payload-ended: status 33"
    # QEMU's last line is the reason where no rule knows it, without the name of the program; a warning is none.
    end = {"qemu_end": QemuEnd(1, asked=False)}
    assert signature(stderr="qemu-system-x86_64: -foo: invalid option\n", **end) == (
        "qemu-exit: status 1; -foo: invalid option"
    )
    assert signature(stderr="qemu-system-x86_64: warning: no\n", **end) == "qemu-exit: status 1"


def test_a_hang_says_where_and_since_when() -> None:
    outcome = decide_outcome(replace(NOTHING, gave_up_s=57.0, marks=(Mark("init", 2.5), KERNEL)))
    assert (outcome.phase, outcome.signature) == ("init", "hang: after init")
    assert "57.0 s" in outcome.detail
    assert "init, was at 2.5 s" in outcome.detail


def test_the_numbers_of_one_boot_stay_out_of_the_signature() -> None:
    def signatures(scale: float) -> set[str]:
        marks = tuple(Mark(mark.milestone, mark.at_s * scale) for mark in GOOD.marks)
        ends = [
            {"events": (event("SHUTDOWN", 7.0 * scale, reason="guest-reset"),)},
            {"ready_s": None, "gave_up_s": 57.0 * scale},
            {"ready_s": 4.2 * scale},
        ]
        return {decide_outcome(replace(GOOD, marks=marks, **end)).signature for end in ends}  # type: ignore[arg-type]

    assert signatures(1.0) == signatures(1.7)
    assert len(signatures(1.0)) == 3


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"console": PANIC}, "guest-panic"),
        ({"console": OOPS}, "guest-oops"),
        ({"events": (PVPANIC,)}, "guest-panic"),
        ({"events": (RESET,)}, "guest-reset"),
        ({"events": (OFF,)}, "guest-shutdown"),
        ({"qemu_end": QemuEnd(-11, asked=False)}, "qemu-crash"),
        ({"stderr": "KVM internal error. Suberror: 1"}, "kvm-error"),
        # Three that cannot all be: the strongest counts, and the others do not hide that the guest was ready.
        ({"console": PANIC, "events": (RESET,), "gave_up_s": 57.0}, "guest-panic"),
        ({"console": PANIC + OOPS, "qemu_end": QemuEnd(-9, asked=False), "gave_up_s": 57.0}, "qemu-crash"),
    ],
)
def test_an_end_of_a_guest_that_was_ready_says_both(facts: dict[str, Any], kind: str) -> None:
    ended = decide_outcome(replace(NOTHING, **facts))
    both = decide_outcome(replace(NOTHING, **facts, ready_s=4.2))
    assert (both.kind, both.signature) == (ended.kind, ended.signature)
    assert both.kind == kind
    assert both.detail == f"{ended.detail}; it had been ready, after 4.2 s"


@pytest.mark.parametrize("order", [1, -1])
def test_marks_in_any_order_name_the_last_in_time(order: int) -> None:
    marks = (KERNEL, Mark("init", 2.5), Mark("ready", 2.0))[::order]
    assert decide_outcome(replace(NOTHING, marks=marks, gave_up_s=57.0)).phase == "init"
