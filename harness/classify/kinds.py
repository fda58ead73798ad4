"""Name the ways in which a boot ends."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OutcomeKind"]


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
