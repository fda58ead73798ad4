"""Know what the host's KVM says of the guests that it runs, in its kernel log.

What every kernel says when it is broken is in :mod:`harness.classify.guest_kernel`; the host's is no other. Sources:
Linux 6.12 and 7.3 arch/x86/kvm/svm/sev.c (``vmgexit: …`` by vcpu_unimpl(), the requests for termination by pr_info()),
arch/x86/kvm/svm/svm.c, arch/x86/virt/svm/sev.c, virt/kvm/kvm_main.c.
"""

from __future__ import annotations

from functools import cache

from harness.classify import guest_kernel
from harness.classify.console import Finding, find_all
from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, RuleSet, Weight, fatal, note
from harness.evidence.host_log import HURT_BITS, LogDelta, taint_letters

__all__ = ["RULES", "find_in_log", "how_hurt", "hurts", "of_guests"]

RULES: tuple[Rule, ...] = (
    # By the GHCB MSR protocol as set:code, by an NAE event in words.
    fatal(
        OutcomeKind.GUEST_TERMINATED,
        rb"SEV-ES guest requested termination: ",
        rb"[^\n]{1,50}termination: (?P<set>0x[0-9a-f]{1,4}):(?P<code>0x[0-9a-f]{1,4})",
        "termination {set}:{code}",
    ),
    # A request of the guest that KVM refuses; in mainline this is what Run-VMPL ends in (exit code 0x80000018).
    note(rb"vmgexit: ", rb"(?P<what>vmgexit: [^\n]{1,120})", "{what}"),
    note(rb"SEV-SNP: ", rb"(?P<what>SEV-SNP: [^\n]{1,120})", "{what}"),
    note(rb"psmash failed", rb"(?P<what>psmash failed[^\n]{0,80})", "{what}"),
    note(rb"VMRUN ", rb"(?P<what>VMRUN [^\n]{1,80})", "{what}"),
    note(rb"kvm_amd: ", rb"(?P<what>kvm_amd: [^\n]{1,120})", "{what}"),
)


@cache
def _rules() -> RuleSet:
    return RuleSet((RULES, guest_kernel.RULES))


def find_in_log(text: bytes) -> tuple[Finding, ...]:
    """Return the first sight of everything in the host's log that a table knows, in order of position."""
    return find_all(text, _rules())


def hurts(finding: Finding) -> bool:
    """Tell whether a finding means that the host's own kernel is broken, not merely that it complains of a guest."""
    own = finding.rank > 0  # the first table is about guests
    return own and (finding.weight in (Weight.FATAL, Weight.SERIOUS) or finding.signature.startswith("WARNING"))


def how_hurt(log: LogDelta) -> str | None:
    """Say how the host's own kernel was hurt while a guest ran; None if it was not.

    Its later answers cannot be trusted until it is rebooted.
    """
    found = [finding for finding in find_in_log("\n".join((*log.lines, "")).encode()) if hurts(finding)]
    added = log.taint_added & HURT_BITS
    if not found and not added:
        return None
    said = f": {found[0].line}" if found else ""
    return f"its kernel was hurt (taint {taint_letters(log.taint_before)} to {taint_letters(log.taint_after)}){said}"


def of_guests(log: LogDelta) -> tuple[Finding, ...]:
    """Return what the host's KVM said of its guests while this one ran; it does not say of which."""
    return tuple(finding for finding in find_in_log("\n".join((*log.lines, "")).encode()) if finding.rank == 0)
