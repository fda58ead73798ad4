"""Know what SeaBIOS and OVMF say when they fail.

Sources: EDK II UefiCpuPkg/Library/CpuExceptionHandlerLib ("!!!! X64 Exception Type"), MdePkg/Library/
BaseDebugLibSerialPort (ASSERT), MdeModulePkg/Core/RuntimeDxe/ResetSystem ("DXE ResetSystem2"), OvmfPkg
PlatformBootManagerLib; SeaBIOS src/boot.c and src/output.c. OVMF under COCONUT-SVSM writes to the same port.
"""

from __future__ import annotations

from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, fatal, note

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    fatal(
        OutcomeKind.FIRMWARE_CRASH,
        rb"!!!! X64 Exception Type - ",
        rb"!!!! X64 Exception Type - (?P<type>[0-9A-F]{2}\([^)\n]{1,60}\))",
        "OVMF exception {type}",
    ),
    # The number in brackets is the driver's name, the path that of the builder's machine.
    fatal(
        OutcomeKind.FIRMWARE_CRASH,
        rb"ASSERT \[",
        rb"ASSERT \[(?P<driver>[^\]\n]{1,60})\] (?:[^\s(]{0,200}/)?(?P<file>[^\s/(]{1,80})\((?P<line>\d{1,6})\): "
        rb"(?P<what>[^\n]{1,80})",
        "OVMF ASSERT in {driver}, {file}({line}): {what}",
    ),
    fatal(OutcomeKind.FIRMWARE_CRASH, rb"ASSERT_EFI_ERROR \("),
    # -no-reboot makes an end with status 0 of it, which is no success: issues 482 and 680.
    note(
        rb"DXE ResetSystem2: ResetType ",
        rb"DXE ResetSystem2: ResetType (?P<type>\w{1,20})",
        "DXE ResetSystem2: ResetType {type}",
    ),
    note(rb"No bootable device"),
    note(rb"Boot failed: "),
    note(rb"BdsDxe: failed to "),
    note(rb"BdsDxe: No bootable option"),
    note(rb"UEFI Interactive Shell"),
)
