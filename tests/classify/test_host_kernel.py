"""What a host's log says of its guests, and of itself."""

from __future__ import annotations

import pytest
from checks.host_facts import host
from sample_facts import evidence

from harness.classify.host_kernel import find_in_log, how_hurt, hurts
from harness.classify.kinds import OutcomeKind
from harness.classify.outcome import decide_outcome
from harness.evidence.host_log import LogDelta

OOPS = b"""\
[ 5000.100000] BUG: kernel NULL pointer dereference, address: 0000000000000008
[ 5000.100001] #PF: supervisor read access in kernel mode
[ 5000.100002] Oops: 0000 [#1] PREEMPT SMP NOPTI
[ 5000.100003] RIP: 0010:svm_vcpu_run+0x1f/0x5e0 [kvm_amd]
"""
WARNING = b"[ 12.5] WARNING: CPU: 3 PID: 411 at virt/kvm/kvm_main.c:4412 kvm_plane_ioctl+0x1f/0x30 [kvm]\n"


@pytest.mark.parametrize(
    ("log", "words", "hurt"),
    [
        (b"[ 1.0] SEV-ES guest requested termination: 0x0:0x0\n", "termination: 0x0:0x0", False),
        (b"[ 1.0] kvm_amd: SEV-ES guest requested termination: 0x1:0x2\n", "termination: 0x1:0x2", False),
        (b"[ 1.0] SEV-ES guest requested termination: 0x1f:0x2\n", "termination: 0x1f:0x2", False),
        (b"[ 1.0] SEV-ES guest requested termination: reason 0x2 info 0x0\n", "reason 0x2 info 0x0", False),
        (
            b"[ 1.0] kvm [77]: vcpu0, guest rIP: 0x0 vmgexit: exit code 0x80000018 is not valid\n",
            "exit code 0x80000018 is not valid",
            False,
        ),
        (OOPS, "NULL pointer dereference", True),
        (WARNING, "kvm_main.c:4412", True),
        (b"[ 9.0] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [qemu-system-x86:77]\n", "soft lockup", True),
    ],
)
def test_what_is_found_and_whether_it_hurts(log: bytes, words: str, hurt: bool) -> None:
    found = find_in_log(b"[ 0.1] usb 1-1: new device\n" + log)
    assert found, "nothing found"
    assert any(words in one.line for one in found), [one.line for one in found]
    assert any(hurts(one) for one in found) is hurt


def test_an_ordinary_log_has_nothing() -> None:
    assert find_in_log(b"[ 1.0] br0: port 1(tap0) entered forwarding state\n") == ()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (LogDelta(tuple(OOPS.decode().splitlines()), 0, 1 << 7), "taint - to D): BUG: kernel NULL"),
        # A second warning leaves the taint as it was.
        (LogDelta((WARNING.decode().strip(),), 1 << 9, 1 << 9), "taint W to W): WARNING"),
        # The line may be lost, the bit is not.
        (LogDelta((), 1, 1 | 1 << 14), "taint P to PL)"),
        (LogDelta(("kvm_amd: SEV-ES guest requested termination: 0x0:0x0",), 0, 0), None),
        (LogDelta((), 0, 1 << 12), None),
    ],
)
def test_how_a_host_is_hurt(log: LogDelta, words: str | None) -> None:
    said = how_hurt(log)
    assert said is None if words is None else said is not None and words in said


SILENT = {"ready_s": None, "gave_up_s": 30.0, "console": b"", "marks": ()}


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("[ 7.0] SEV-ES guest requested termination: 0x0:0x0", OutcomeKind.GUEST_TERMINATED, "sends after a panic"),
        ("[ 7.0] SEV-ES guest requested termination: 0x1:0x2", OutcomeKind.GUEST_TERMINATED, "PVALIDATE failed"),
        ("[ 7.0] vmgexit: exit code 0x80000018 is not valid", OutcomeKind.NO_OUTPUT, "exit code 0x80000018"),
    ],
)
def test_the_hosts_words_explain_a_boot_that_went_wrong(line: str, kind: OutcomeKind, words: str) -> None:
    outcome = decide_outcome(evidence(host=host(log=LogDelta((line,), 0, 0)), **SILENT).facts)
    assert outcome.kind is kind and words in outcome.detail, outcome
    # Of a guest that is well, they are about another.
    assert decide_outcome(evidence(host=host(log=LogDelta((line,), 0, 0))).facts).kind is OutcomeKind.READY
