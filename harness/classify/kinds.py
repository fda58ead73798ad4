"""Name the ways in which a boot ends, and the kinds of hang."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["HangKind", "OutcomeKind", "Sure"]


class OutcomeKind(StrEnum):
    """Name the ways in which a boot ends."""

    READY = "ready"
    GUEST_SHUTDOWN = "guest-shutdown"
    GUEST_RESET = "guest-reset"
    #: A part of an SNP guest asked the host to end it (GHCB MSR protocol 0x100).
    GUEST_TERMINATED = "guest-terminated"
    SVSM_PANIC = "svsm-panic"
    FIRMWARE_CRASH = "firmware-crash"
    GUEST_PANIC = "guest-panic"
    GUEST_OOPS = "guest-oops"
    #: The guest itself noticed that a CPU or a task makes no progress.
    GUEST_LOCKUP = "guest-lockup"
    PAYLOAD_ENDED = "payload-ended"
    HANG = "hang"
    NO_OUTPUT = "no-output"
    #: KVM could not run a vCPU; QEMU may live on, stopped.
    KVM_ERROR = "kvm-error"
    QEMU_CRASH = "qemu-crash"
    QEMU_EXIT = "qemu-exit"
    #: There are parts of a crash report, but not the line that says what it was.
    CORRUPTED = "corrupted"
    #: The console's last words tell of a failure that no rule knows.
    UNKNOWN = "unknown"
    LOST = "lost"


class HangKind(StrEnum):
    """Name what a guest that does not get on is doing."""

    #: QEMU never let it run, or its vCPUs never used any CPU time.
    NEVER_STARTED = "never-started"
    #: It runs or sleeps, and nothing behind the firmware has said a word.
    FIRMWARE_STUCK = "firmware-stuck"
    #: A vCPU uses all the CPU time that it gets, in one VMPL.
    SPIN = "spin"
    #: A vCPU switches between VMPLs, or asks to, for ever.
    LIVE_LOCK = "live-lock"
    #: All sleep, and an interrupt for one of them waits: a lost wake-up, or a lost IPI.
    LOST_WAKEUP = "lost-wakeup"
    #: An AP was created or started, and never ran.
    AP_NEVER_UP = "ap-never-up"
    #: QEMU itself does not go on, or has stopped the guest.
    QEMU_BLOCKED = "qemu-blocked"
    #: The host gives QEMU no CPU.
    HOST_STALLED = "host-stalled"
    #: The guest said that it is ready and its kernel lives; SSH does not answer.
    SSH_DEAD = "ssh-dead"
    #: The consoles still grow: it needs more time.
    SLOW = "slow"
    #: All vCPUs sleep with interrupts off: nothing but an NMI can wake them.
    HALTED = "halted"
    #: All vCPUs sleep, and nothing waits for them: the guest waits for something that does not come.
    IDLE = "idle"
    #: The evidence does not decide.
    UNKNOWN = "unknown"


class Sure(StrEnum):
    """Say how far an answer can be trusted."""

    #: The observation is the definition of the answer.
    CERTAIN = "certain"
    #: The observations fit, and no other answer that is known here would explain them.
    LIKELY = "likely"
    #: The observations fit, and another answer would explain them too.
    POSSIBLE = "possible"
