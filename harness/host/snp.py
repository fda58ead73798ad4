"""Ask a host whether it can start SNP guests, and where its CPU has the C-bit."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import Deadline
from harness.host.protocol import Host

__all__ = ["SNP_SCRIPT", "SnpFacts", "ask_snp", "parse_snp"]

# CPUID 8000001F (AMD APM vol. 3, appendix E.4.17): EAX[4] SEV-SNP, EBX[5:0] position of the C-bit.
_SNP_BIT, _CBIT_MASK = 1 << 4, 0x3F
#: The shell script whose answer :func:`parse_snp` reads.
# The position in /dev/cpu/0/cpuid is the leaf, and grows by one with each 16 bytes (arch/x86/kernel/cpuid.c): 32 leaves
# from 80000000 end with the one that is wanted. Records, because their number is what dd can seek by.
SNP_SCRIPT = """
cat /sys/module/kvm_amd/parameters/sev_snp 2>/dev/null || echo none
if [ ! -e /dev/sev ]; then echo none; elif [ -r /dev/sev ] && [ -w /dev/sev ]; then echo open; else echo closed; fi
dd if=/dev/cpu/0/cpuid bs=16 skip=134217728 count=32 2>/dev/null | od -An -v -tx4 -w16 | tail -n 1
for file in /usr/share/OVMF/OVMF.amdsev.fd /usr/share/ovmf/OVMF.amdsev.fd /usr/share/edk2/ovmf/OVMF.amdsev.fd; do
    if [ -r "$file" ]; then echo "firmware $file"; break; fi
done
"""


@dataclass(frozen=True, slots=True)
class SnpFacts:
    """Hold what a host says of SNP.

    ``why_not`` is empty where an SNP guest can be tried, else the first thing in the way; ``remedy`` what to do about
    it. ``cbitpos`` is None where the CPU was not readable or has no SNP. ``firmware`` is an OVMF for SEV on the host,
    None if none is at the usual places.
    """

    why_not: str
    remedy: str
    cbitpos: int | None
    firmware: str | None


async def ask_snp(host: Host, deadline: Deadline) -> SnpFacts:
    """Return what the host says; never raises for what is missing there.

    :raise HostLost, TimeoutError: as :meth:`Host.run`.
    """
    done = await host.run(SNP_SCRIPT, deadline)
    return parse_snp(done.stdout.decode(errors="replace"))


def parse_snp(said: str) -> SnpFacts:
    """Read the answer of the script."""
    parameter, device, *rest = [*(line.strip() for line in said.splitlines()), "", ""]
    firmware = next((line.removeprefix("firmware ") for line in rest if line.startswith("firmware ")), None)
    leaf = next((line.split() for line in rest if len(line.split()) == 4), None)
    cbitpos = None
    why_not, remedy = "", ""
    if leaf is not None:
        eax, ebx = (int(word, 16) for word in leaf[:2])
        cbitpos = ebx & _CBIT_MASK if eax & _SNP_BIT else None
        if cbitpos is None:
            why_not, remedy = "this CPU has no SEV-SNP", "an EPYC 7003 (Milan) or later has it"
    if not why_not and parameter not in ("Y", "1"):
        if parameter == "none":
            why_not = "kvm_amd is not loaded, or older than SNP"
        else:
            why_not = f"kvm_amd has SNP off (sev_snp={parameter})"
        remedy = "svsm-harness doctor says what is in the way"
    elif not why_not and device != "open":
        why_not = "there is no /dev/sev" if device == "none" else "/dev/sev may not be opened by this user"
        remedy = "load ccp" if device == "none" else "run as root"
    elif not why_not and cbitpos is None:
        why_not, remedy = "CPUID cannot be read, and with it where the C-bit is", "modprobe cpuid, and run as root"
    return SnpFacts(why_not, remedy, cbitpos, firmware)
