"""Know what COCONUT-SVSM says at VMPL0 when it fails, and what it says although nothing failed.

Before a message may stand "[SVSM] ", "[task] " and a level (kernel/src/log_buffer.rs), so no header anchors to the
line's start. Sources: kernel/src/svsm.rs panic handler; kernel/src/cpu/idt/svsm.rs; kernel/src/sev/{ghcb,status,
msr_protocol,hv_doorbell}.rs; kernel/src/requests.rs; kernel/src/platform/snp_fw.rs; and the texts of the project's
issues, named where they are the reason.
"""

from __future__ import annotations

from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, benign, fatal, note

__all__ = ["RULES"]

# "panicked at FILE:LINE:COLUMN:" ends the line, the message is the next one; the guest may have printed in between,
# as both write to COM1.
_GUEST_LINES = rb"(?:\[ {0,8}\d{1,8}\.\d{1,9}\][^\n]{0,300}\n){0,4}"
_WHERE = (
    rb"panicked at (?P<file>[^\s:]{1,120}:\d{1,6}):\d{1,6}:[^\S\n]*\n"
    + _GUEST_LINES
    + rb"(?:\[[^\]\n]{1,40}\] )?(?P<what>[^\n]{1,200})"
)
_BETWEEN = rb"(?:[^\n]{0,300}\n){0,4}?[^\n]{0,80}"
# The in-SVSM tests have no line for a failure: the last test that was begun is the one (kernel/src/testing.rs).
_TEST = rb"\btest (?P<before>[\w:]{1,100}) \.\.\.(?! ?(?:ok|ignored))"

RULES: tuple[Rule, ...] = (
    fatal(
        OutcomeKind.SVSM_PANIC,
        rb"Panic on CPU\[",
        rb"Panic on CPU\[[^\]\n]{1,8}\]![^\n]{0,200}\n" + _BETWEEN + _WHERE,
        "panic at {file}: {what}",
        before=_TEST,
    ),
    # Before 2025 one line said both.
    fatal(
        OutcomeKind.SVSM_PANIC,
        rb"Panic: CPU\[",
        rb"Panic: CPU\[[^\]\n]{1,8}\] " + _WHERE,
        "panic at {file}: {what}",
        before=_TEST,
    ),
    # Not the end of everything, and silence follows: issue 802, a host without multi-VMPL support.
    note(
        rb"Required hypervisor GHCB features not available: ",
        rb"[^\n]{1,80}missing=(?P<bits>0x[0-9a-f]{1,16})",
        "required hypervisor GHCB features missing={bits}",
    ),
    note(rb"Required SEV features not available"),
    note(rb"Unsupported SEV features enabled"),
    # An exception that was not handled panics next; where the console ends before that, this is what is left.
    note(rb"Unhandled exception ", rb"Unhandled exception (?P<vector>\d{1,3})", "unhandled SVSM exception {vector}"),
    note(rb"Double-Fault at RIP"),
    note(rb"Unhandled Page-Fault at RIP"),
    note(rb"Unhandled General-Protection-Fault"),
    note(rb"Failed to handle #VC from ", rb"[^\n]{1,160}code: (?P<code>\w{1,20})", "failed to handle #VC, code {code}"),
    note(rb"#VC handling error: "),
    note(rb"#MC exception delivered via #HV"),
    note(rb"Failed to switch to VMPL "),
    note(rb"Fatal error handling core protocol request "),
    note(rb"Failed to write APIC\.ICR: "),  # issues 682 and 699: the host lacks the HV IPI call
    note(rb"Failed to setup guest VMSA/CAA: "),  # PR 405: the host lacks alternate injection
    note(rb"Failed to prepare guest FW"),
    note(rb"Failed to launch FW"),
    note(rb"SNP_GUEST_REQ_ERR_BUSY\. Aborting"),
    note(rb"GHCB SnpPageStateChange failed"),
    note(
        rb"Waiting for connection from GDB", rb"(?P<what>Waiting for connection from GDB)", "{what}"
    ),  # a GDB build stops here: no hang of its own making
    # Issues 384 and 479: /init is optional.
    benign(rb"Failed to launch /init[^\n]{0,200}"),
    # Issue 498.
    benign(rb"Not clearing possible read-only page at PA[^\n]{0,200}"),
    benign(rb"ERROR: (?:Failed to launch /init|Not clearing possible read-only page)[^\n]{0,200}"),
    # Any other error, with its level in front: below everything that has its own row.
    note(rb"ERROR: (?!Info: |Panic|Bail)"),
)
