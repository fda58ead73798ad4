"""Know what bare-metal payloads say when they give up, and what the status means that they end QEMU with.

Sources: guest_payloads/vmpl_model (console.c bail_out(), main.c); kvm-unit-tests lib/abort.c and lib/x86/desc.c;
COCONUT-SVSM kernel/src/testing.rs. A payload's own report (KTAP and the like) is read by harness.evidence, not here.
"""

from __future__ import annotations

from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, fatal, note

__all__ = ["RULES", "meaning_of", "termination"]

RULES: tuple[Rule, ...] = (
    # The VMPL model plays the host as well, whose log has this line.
    fatal(
        OutcomeKind.GUEST_TERMINATED,
        rb"SEV-ES guest requested termination: ",
        rb"[^\n]{1,50}termination: (?P<set>0x[0-9a-f]{1,4}):(?P<code>0x[0-9a-f]{1,4})",
        "termination {set}:{code}",
    ),
    # Options or machine refused. Stronger than what follows from it.
    note(rb"Bail out! "),
    note(rb"ABORT: "),
    note(rb"Unhandled cpu exception ", rb"Unhandled cpu exception (?P<what>[^\n]{1,40}?) at ip", "unhandled {what}"),
)

# GHCB MSR protocol 0x100, "set:code": Linux arch/x86/include/asm/sev-common.h GHCB_SEV_ES_* and GHCB_TERM_*. Set 0 is
# the specification's, set 1 is Linux's; COCONUT-SVSM ends with 0:0 after a panic; others have sets of their own.
_TERMINATIONS = {
    (0, 0): "general request, also what an SVSM sends after a panic",
    (0, 1): "GHCB protocol version not supported",
    (0, 2): "SNP features not supported",
    (1, 0): "GHCB GPA registration failed",
    (1, 1): "page state change failed",
    (1, 2): "PVALIDATE failed",
    (1, 3): "not at VMPL0",
    (1, 4): "CPUID page validation failed",
    (1, 5): "CPUID hypervisor fallback failed",
    (1, 6): "secrets page failed",
    (1, 7): "no SVSM although not at VMPL0",
    (1, 8): "an SVSM although at VMPL0",
    (1, 9): "the SVSM's calling area is not aligned",
    (1, 10): "Secure TSC failed",
    (1, 11): "the SVSM's calling area could not be moved",
    (1, 12): "Secure AVIC failed",
}

# vmpl_model/README.md; 33 and 35 are COCONUT-SVSM's test build as well. (code << 1) | 1.
_STATUSES = {
    33: "every test passed",
    35: "a test failed, or an SVSM test build panicked",
    37: "the payload refused its options or this machine",
    39: "a VMPL asked for termination",
    41: "the model's guest panicked",
    43: "a bug of the model's monitor",
}


def termination(reason_set: int, code: int) -> str | None:
    """Say in words what a guest's request for termination means; None if nothing is known of it."""
    return _TERMINATIONS.get((reason_set, code))


def meaning_of(status: int) -> str | None:
    """Say in words what a payload means by QEMU's exit status; None if it is no known payload's."""
    return _STATUSES.get(status)
