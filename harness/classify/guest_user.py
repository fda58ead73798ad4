"""Know what init, the services it starts and the SSH server say when the guest cannot be used although its kernel runs.

Sources: guest_payloads/linux/init; Linux arch/x86/mm/fault.c show_signal_msg() and arch/x86/kernel/traps.c
show_signal(); systemd; dracut and initramfs-tools; OpenSSH and dropbear. Ranked: our own init says exactly what it
lacks; then what stops a boot for good; then a program that died.
"""

from __future__ import annotations

from harness.classify.rules import Rule, note

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    note(rb"-harness: error: ", lead=b"svsm"),
    note(rb"You are in emergency mode"),
    note(rb"You are in rescue mode"),
    note(rb"Entering emergency mode"),
    note(rb"ALERT! ", rb"ALERT! +(?P<what>[^\n]{1,100})", "ALERT! {what}"),
    note(rb"Gave up waiting for "),
    note(rb"Warning: dracut-initqueue"),
    # systemd's job timer; the device is the disk that never came.
    note(rb"Timed out waiting for device "),
    note(rb"Dependency failed for "),
    note(rb"Freezing execution"),
    # A program that died, by its name: addresses, pid and library offsets differ.
    note(
        rb"\]: segfault at ",
        rb"\]: segfault at [^\n]{1,120} error (?P<error>[0-9a-f]{1,4})(?: in (?P<where>[^\s\[]{1,60}))?",
        "{program} segfault, error {error} in {where}",
    ),
    note(
        rb"\] general protection fault ip:",
        rb"\] general protection fault ip:[^\n]{1,80}(?: in (?P<where>[^\s\[]{1,60}))?",
        "{program} general protection fault",
    ),
    note(rb"\] trap [a-z ]{1,30} ip:", rb"\] trap (?P<what>[a-z ]{1,30}) ip:", "{program} trap {what}"),
    note(rb"Failed to start "),
    note(rb"Segmentation fault"),
)
