"""Know what QEMU and KVM say on QEMU's standard error when a machine cannot be made, or cannot go on.

Sources: QEMU accel/kvm/kvm-all.c, target/i386/kvm/kvm.c, target/i386/sev.c, util/error-report.c, system/vl.c,
backends/igvm.c; issues of COCONUT-SVSM where named. Ranked: what KVM did to a running guest, then SNP's launch, then
what was asked for and cannot be had, and QEMU's prefix with any text at the end.
"""

from __future__ import annotations

from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, benign, fatal, note

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    # A vCPU that cannot run. Sporadic with 4 vCPUs in issue 1081, so the number is part of the signature.
    fatal(
        OutcomeKind.KVM_ERROR,
        rb"KVM: entry failed, hardware error ",
        rb"KVM: entry failed, hardware error (?P<error>0x[0-9a-f]{1,16})",
        "KVM: entry failed, hardware error {error}",
    ),
    fatal(OutcomeKind.KVM_ERROR, rb"KVM internal error\. Suberror: "),
    fatal(
        OutcomeKind.GUEST_TERMINATED,
        rb"SEV termination \(",
        rb"SEV termination \(reason set: (?P<set>\d{1,3}) code: (?P<code>\d{1,3})\)",
        "termination {set}:{code}",
    ),
    # KVM_EXIT_SYSTEM_EVENT with KVM_SYSTEM_EVENT_SEV_TERM, to a QEMU that does not know it (PR 512).
    fatal(
        OutcomeKind.GUEST_TERMINATED,
        rb"KVM: unknown exit reason 24",
        rb"KVM: unknown exit reason (?P<reason>24)\b",
        "KVM: unknown exit reason {reason}, the guest asked for termination",
    ),
    fatal(OutcomeKind.GUEST_TERMINATED, rb"Hypervisor did not provide any data for SEV-ES termination"),
    fatal(OutcomeKind.KVM_ERROR, rb"KVM: unknown exit, hardware reason "),
    fatal(OutcomeKind.KVM_ERROR, rb"KVM: unknown exit reason "),
    fatal(OutcomeKind.KVM_ERROR, rb"kvm run failed ", lead=b"error: "),
    fatal(OutcomeKind.KVM_ERROR, rb"KVM: exception "),
    # SNP's launch: ret is an errno, fw_error the firmware's.
    note(rb"SNP_LAUNCH_", rb"(?P<what>SNP_LAUNCH_\w{1,10} ret=-?\d{1,5} fw_error=-?\d{1,6}[^\n]{0,40})", "{what}"),
    note(rb"sev_\w{1,30}: "),
    note(rb"memory fault: GPA ", rb"memory fault: GPA (?P<gpa>0x[0-9a-f]{1,16})", "memory fault: GPA {gpa}"),
    note(rb"Invalid platform header count in IGVM file"),  # issue 375
    note(rb"pflash devices cannot be configured when using IGVM"),
    note(rb"Failed to parse IGVM file"),
    note(rb"Parameter 'qom-type' does not accept value "),  # issue 680: a QEMU without SNP
    note(rb"vm-type snp not supported by KVM"),
    note(rb"Failed to put registers after "),  # issue 380
    note(rb"Could not access KVM kernel module"),
    note(rb"failed to initialize kvm"),
    note(rb"kvm_init_vcpu failed"),
    note(rb"cannot set up guest memory "),
    note(rb"could not load kernel "),
    note(rb"Could not open "),
    note(rb"Could not set up host forwarding rule "),
    note(rb"Failed to get \"(?:write|shared|consistent read)\" lock"),
    note(rb"'[^'\n]{1,40}' is not a valid device model name"),
    note(rb"unable to find CPU model "),
    note(rb"unsupported machine type"),
    note(rb"assertion failed"),
    note(rb"Assertion `[^\n']{1,200}' failed"),
    note(rb"error while loading shared libraries: "),
    note(rb"hardware error: ", lead=b"qemu: "),
    note(rb"AddressSanitizer: "),
    # The harness ended it, and a feature that TCG does not have is a sentence about the CPU model.
    benign(rb"terminating on signal \d{1,2}[^\n]{0,100}"),
    benign(rb"warning: (?:TCG|host) doesn't support requested feature[^\n]{0,200}"),
)
