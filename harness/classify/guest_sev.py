"""Know what a Linux guest says when its encryption, the #VC exception or the SVSM calls fail.

Sources: Linux arch/x86/coco/sev/{vc-handle,core,svsm}.c (before 6.11 arch/x86/kernel/sev.c), arch/x86/boot/compressed/
sev.c, drivers/virt/coco/sev-guest. The prefix is "SEV: ", before 5.19 "SEV-ES: " or none. The exit code names the
intercepted instruction and is part of the signature; the IP is not.
"""

from __future__ import annotations

from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, fatal, note

__all__ = ["RULES"]

_CODE = rb"[^\n]{0,60}exit-code (?P<code>0x[0-9a-f]{1,16})"

RULES: tuple[Rule, ...] = (
    # Of the early handler: registers are shown, then the CPU halts for ever, or the guest asks to be terminated.
    fatal(
        OutcomeKind.GUEST_PANIC,
        rb"PANIC: Unsupported exit-code ",
        rb"PANIC: Unsupported exit-code (?P<code>0x[0-9a-f]{1,16})",
        "unsupported exit-code {code} in early #VC exception",
    ),
    fatal(
        OutcomeKind.GUEST_PANIC,
        rb"PANIC: Failure in communication with VMM",
        rb"PANIC: Failure" + _CODE,
        "failure in communication with VMM, exit-code {code}",
    ),
    fatal(
        OutcomeKind.GUEST_PANIC,
        rb"PANIC: Failed to decode instruction",
        rb"PANIC: Failed" + _CODE,
        "failed to decode instruction, exit-code {code}",
    ),
    # The same of the late handler, which panics next if it was the kernel (panic is the stronger row).
    note(
        rb"Unsupported exit-code ",
        rb"Unsupported exit-code (?P<code>0x[0-9a-f]{1,16})",
        "unsupported exit-code {code} in #VC exception",
    ),
    note(
        rb"Failure in communication with VMM",
        rb"Failure" + _CODE,
        "failure in communication with VMM, exit-code {code}",
    ),
    note(rb"Failed to decode instruction \(", rb"Failed" + _CODE, "failed to decode instruction, exit-code {code}"),
    note(rb"PVALIDATE failed"),
    note(rb"SEV: Failed to (?!decode)"),
    note(rb"Detected error from ASP request"),
)
